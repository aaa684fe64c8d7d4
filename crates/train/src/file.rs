//! The trainer's files: written atomically, and read up to a limit.

use crate::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Size limit of a `tokenizer.json`, in bytes.
pub const TOKENIZER_LIMIT: u64 = 256 << 20;
/// Size limit of a `train.toml`.
pub const CONFIG_LIMIT: u64 = 1 << 20;
/// Size limit of a `log.jsonl` for a chart: more lines than any run writes.
pub const LOG_LIMIT: u64 = 1 << 30;

/// Writes `path` with `write`: to a temporary file, which is synced and renamed; a link stays a link, a device or a
/// pipe is written to. If any of that fails (such as on a full disk), `path` is unchanged. Its folder is created if
/// missing.
///
/// # Errors
/// Names the file and the cause.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    Ok(bitstate_files::write_whole(path, write)?)
}

/// The bytes of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    bitstate_files::read(path, limit).map_err(Error::file("read", path))
}

/// Removes the temporary files of [`write_atomically`] that a killed process left in `folder`.
pub fn sweep(folder: &Path) -> Result<(), Error> {
    bitstate_files::sweep(folder).map_err(Error::file("remove what a killed run left in", folder))
}
