//! Bytes where kernels read them fastest.

use alloc::vec::Vec;
use core::ops::Deref;

/// Bytes that begin on a cache line.
///
/// In a BITS file of version 1.2 the rows of the embedding begin at byte 64. Where the file begins on a cache line they
/// do too, and no vector of a row straddles two, which the head of the default model takes 5 % longer for.
#[derive(Debug)]
pub struct AlignedBytes {
    room: Vec<u8>,
    start: usize,
}

impl AlignedBytes {
    /// Bytes of a cache line.
    pub const LINE: usize = 64;

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut aligned = Self::with_room(bytes.len());
        aligned.room.extend_from_slice(bytes);
        aligned
    }

    /// A copy of INT8 values.
    pub fn copy_of_int8s(values: &[i8]) -> Self {
        Self::copy_of(bytemuck::cast_slice(values))
    }

    /// The bytes as INT8 values.
    pub fn int8s(&self) -> &[i8] {
        bytemuck::cast_slice(self)
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// As [`std::fs::read`].
    #[cfg(feature = "std")]
    pub fn read_file(path: impl AsRef<std::path::Path>) -> std::io::Result<Self> {
        use std::io::Read as _;
        let mut file = std::fs::File::open(path)?;
        // What grows or is no regular file, such as a pipe, may move while it is read: then it is aligned by chance.
        let expected = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        let mut aligned = Self::with_room(expected);
        file.read_to_end(&mut aligned.room)?;
        Ok(aligned)
    }

    /// None yet, with room for so many.
    fn with_room(len: usize) -> Self {
        let mut room = Vec::<u8>::with_capacity(len + Self::LINE - 1);
        let start = room.as_ptr().align_offset(Self::LINE).min(Self::LINE - 1);
        room.resize(start, 0);
        AlignedBytes { room, start }
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.room[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_copy_begins_on_a_line() {
        for len in [0, 1, 63, 64, 65, 5000] {
            let bytes = vec![7; len];
            let copy = AlignedBytes::copy_of(&bytes);
            assert_eq!(*copy, bytes);
            assert_eq!(copy.as_ptr().align_offset(AlignedBytes::LINE), 0, "{len} bytes");
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_file_is_read_whole() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let read = AlignedBytes::read_file(manifest).expect("this crate's manifest");
        assert_eq!(*read, *std::fs::read(manifest).expect("the same file"));
        assert_eq!(read.as_ptr().align_offset(AlignedBytes::LINE), 0);
        assert!(AlignedBytes::read_file("no such file").is_err());
    }
}
