//! Reading up to a limit: a file may be an endless device.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// If it cannot be read, or is larger.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // Reported at once; a file that grows, or has no length, is limited while reading.
    if file.metadata()?.len() > limit {
        return Err(too_large(limit));
    }
    read_from(file, limit)
}

/// Reads everything from `source`, at most `limit` bytes.
///
/// # Errors
/// If it cannot be read, or is longer.
pub fn read_from(source: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> io::Error {
    let limit = match (limit >> 20, limit >> 10) {
        (0, 0) => format!("{limit} bytes"),
        (0, kib) => format!("{kib} KiB"),
        (mib, _) => format!("{mib} MiB"),
    };
    io::Error::new(ErrorKind::FileTooLarge, format!("larger than {limit}, the most that is read of a file of its kind"))
}
