//! Reading a model file, limited by the size that its header claims.

use crate::aligned::AlignedBytes;
use crate::error::ParseError;
use crate::parse;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use thiserror::Error;

/// Space allocated at once for data from a pipe, whose length is not known.
const PIPE_ROOM: u64 = 1 << 26;

/// Why the bytes of a model could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file does not begin like a BITS file.
    #[error(transparent)]
    Start(#[from] ParseError),
    /// The length of the file differs from that in its header.
    #[error(
        "the header describes a file of {} to {} bytes, this one has {found}: it was cut short or its header is wrong",
        .described.start(), .described.end()
    )]
    Length {
        /// Bytes in the file.
        found: u64,
        /// Bytes according to the header.
        described: RangeInclusive<u64>,
    },
    /// A pipe delivered more than its header describes.
    #[error("more follows after the {most} bytes that the header describes at most: the header is wrong")]
    Endless {
        /// Largest number of bytes according to the header.
        most: u64,
    },
    /// There is not enough memory.
    #[error("there is not enough memory for its {bytes} bytes")]
    Memory {
        /// Requested bytes.
        bytes: u64,
    },
}

impl AlignedBytes {
    /// The bytes of the model file at `path`, which may be a pipe. The beginning is checked before the rest is read,
    /// and never more is read or allocated than the header describes.
    ///
    /// # Errors
    /// If the file cannot be read, does not begin like a BITS file, or its length differs from that in its header.
    /// Other errors are found by [`Model::parse`](crate::Model::parse).
    pub fn read_model(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        // Virtual files report a length of 0.
        let len = Some(metadata.len()).filter(|&len| metadata.is_file() && len > 0);
        read(file, len)
    }
}

/// Reads a model from a source of `len` bytes, if that is known.
fn read(mut source: impl Read, len: Option<u64>) -> Result<AlignedBytes, ReadError> {
    let mut start = Vec::with_capacity(parse::START);
    source.by_ref().take(parse::START as u64).read_to_end(&mut start)?;
    let (version, config) = parse::start(&start)?;
    let described = config.file_len(version);
    let most = *described.end();
    if let Some(found) = len.filter(|len| !described.contains(len)) {
        return Err(ReadError::Length { found, described });
    }
    let bytes = len.unwrap_or(most.min(PIPE_ROOM));
    let room = usize::try_from(bytes).ok().and_then(|bytes| AlignedBytes::with_room(bytes).ok());
    let mut aligned = room.ok_or(ReadError::Memory { bytes })?;
    aligned.append(&start);
    // One more byte, to check that it ends there.
    let rest = source.take(most - parse::START as u64 + 1);
    if aligned.append_all(rest)? as u64 > most - parse::START as u64 {
        return Err(ReadError::Endless { most });
    }
    Ok(aligned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Model, Preset, Version, synthetic};
    use alloc::string::ToString;

    fn small() -> Vec<u8> {
        synthetic(&Preset::by_name("small").expect("a preset").config(), 1, Version::V1_2)
    }

    /// An endless source of zeros that counts them.
    struct Zeros<'a>(&'a mut u64);

    impl Read for Zeros<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(0);
            *self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    #[test]
    fn a_model_is_read_whole_and_begins_on_a_line() {
        let file = small();
        for len in [None, Some(file.len() as u64)] {
            let read = read(&file[..], len).expect("a model");
            assert_eq!(*read, *file);
            assert_eq!(read.as_ptr().align_offset(AlignedBytes::LINE), 0);
        }
    }

    #[test]
    fn what_does_not_begin_as_a_model_is_read_no_further() {
        let mut given = 0;
        let refused = read(Zeros(&mut given), None);
        assert!(matches!(refused, Err(ReadError::Start(_))), "{refused:?}");
        assert_eq!(given, parse::START as u64);

        // A valid header before zeros: the first tensor has no shape.
        let (file, mut given) = (small(), 0);
        let refused = read(file[..52].chain(Zeros(&mut given)), None);
        assert!(refused.is_err_and(|error| error.to_string().starts_with("embedding (byte 52)")));
        assert_eq!(given, 12);
        for cut in [0, 3, 51, 52, 63] {
            assert!(read(&file[..cut], None).is_err_and(|error| error.to_string().contains("cut short")), "{cut}");
        }
    }

    #[test]
    fn what_goes_on_is_read_no_further_than_its_header_says() {
        let file = small();
        let most = *Preset::by_name("small").expect("a preset").config().file_len(Version::V1_2).end();
        let mut given = 0;
        let refused = read(file.chain(Zeros(&mut given)), None);
        assert!(matches!(refused, Err(ReadError::Endless { most: said }) if said == most), "{refused:?}");
        // The reader's buffer may request slightly more than is used.
        assert!(given <= most - file.len() as u64 + 1, "{given}");
    }

    #[test]
    fn a_length_that_does_not_fit_the_header_is_refused_unread() {
        let file = small();
        for len in [64, file.len() as u64 / 2, 2 * file.len() as u64, 64 << 30, u64::MAX] {
            let mut given = 0;
            let refused = read(file[..64].chain(Zeros(&mut given)), Some(len));
            assert!(matches!(&refused, Err(ReadError::Length { found, .. }) if *found == len), "{refused:?}");
            assert!(refused.is_err_and(|error| error.to_string().contains(&len.to_string())));
            assert_eq!(given, 0);
        }
    }

    /// A file that claims to need more memory than there is, or than there are addresses.
    #[test]
    fn a_model_without_memory_for_it_is_an_error() {
        let n_embd = 1 << 16;
        let config = Config {
            vocab_size: 1 << 24,
            n_layer: 1 << 12,
            n_embd,
            n_head: 1,
            head_size: n_embd,
            ff_mult: 1 << 8,
            max_seq_len: 1,
            dropout: 0.0,
        };
        let mut start = small()[..64].to_vec();
        let words = config.sizes().into_iter().map(|size| size as u32);
        for (word, at) in words.zip((12..).step_by(4)) {
            start[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        start[56..60].copy_from_slice(&(1u32 << 24).to_le_bytes());
        start[60..64].copy_from_slice(&(1u32 << 16).to_le_bytes());
        let len = *config.file_len(Version::V1_2).start();
        let refused = read(&start[..], Some(len));
        assert!(matches!(refused, Err(ReadError::Memory { bytes }) if bytes == len), "{refused:?}");
    }

    #[test]
    fn a_file_is_read_and_a_wrong_one_refused() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(AlignedBytes::read_model(manifest).is_err_and(|error| error.to_string().contains("not a BITS file")));
        assert!(matches!(AlignedBytes::read_model("no such file"), Err(ReadError::Io(_))));
        let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/peer/small-v1.2.bits");
        let read = AlignedBytes::read_model(peer).expect("a model");
        assert_eq!(*read, *std::fs::read(peer).expect("the same file"));
        assert!(Model::parse(&read).is_ok());
    }
}
