//! Safetensors files, read no further than their header states.

use crate::error::Error;
use safetensors::tensor::Metadata;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Size of the length field before the header.
const LENGTH: u64 = 8;
/// Size limit of a header, as in the format.
const LONGEST_HEADER: u64 = 100_000_000;

/// An open safetensors file, positioned after its header.
pub struct Tensors {
    file: File,
    /// The bytes read so far: the header and its length.
    head: Vec<u8>,
    /// The parsed header.
    pub metadata: Metadata,
}

impl Tensors {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// If it cannot be read, is not a safetensors file, or has another length than its header states.
    pub fn open(path: &Path) -> Result<Tensors, Error> {
        let wrong = |problem: String| Error::content(path, format_args!("not a safetensors file: {problem}"));
        let mut file = File::open(path).map_err(Error::file("read", path))?;
        let at = file.metadata().map_err(Error::file("read", path))?;
        let mut head = Vec::new();
        let mut more = |head: &mut Vec<u8>, count: u64| {
            let read = file.by_ref().take(count).read_to_end(head).map_err(Error::file("read", path))?;
            if (read as u64) < count { Err(wrong("it ends in its header".into())) } else { Ok(()) }
        };
        more(&mut head, LENGTH)?;
        let length = head.iter().rev().fold(0, |length, &byte| length << 8 | u64::from(byte));
        if length > LONGEST_HEADER {
            return Err(wrong(format!(
                "it begins with a length of {length}, and a header has at most {LONGEST_HEADER}"
            )));
        }
        more(&mut head, length)?;
        let metadata: Metadata =
            serde_json::from_slice(&head[LENGTH as usize..]).map_err(|error| wrong(error.to_string()))?;
        let tensors = Tensors { file, head, metadata };
        let (found, described) = (at.len(), tensors.len());
        if at.is_file() && found != described {
            return Err(wrong(format!("its header describes {described} bytes, and it has {found}")));
        }
        Ok(tensors)
    }

    /// Size of the file in bytes.
    fn len(&self) -> u64 {
        (self.head.len() as u64).saturating_add(self.metadata.data_len() as u64)
    }

    /// All of its bytes.
    ///
    /// # Errors
    /// If the rest cannot be read, has another length than the header states, or does not fit into memory.
    pub fn read(self, path: &Path) -> Result<Vec<u8>, Error> {
        let described = self.len();
        let Tensors { file, head: mut bytes, .. } = self;
        let rest = described - bytes.len() as u64;
        usize::try_from(rest).ok().and_then(|rest| bytes.try_reserve_exact(rest).ok()).ok_or_else(|| {
            Error::content(path, format_args!("there is not enough memory for its {described} bytes"))
        })?;
        file.take(rest.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
        let found = bytes.len() as u64;
        if found != described {
            let more = if found > described { "more" } else { "fewer" };
            return Err(Error::content(path, format_args!("it has {more} bytes than the {described} of its header")));
        }
        Ok(bytes)
    }
}
