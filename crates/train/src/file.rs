//! Files of the trainer: there whole or not at all, and read up to a limit.

use crate::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Largest `tokenizer.json` that is read, in bytes, as elsewhere.
pub const TOKENIZER_LIMIT: u64 = 256 << 20;
/// Largest `train.toml`.
pub const CONFIG_LIMIT: u64 = 1 << 20;
/// Largest `log.jsonl` that a chart is drawn of: more lines than any run writes.
pub const LOG_LIMIT: u64 = 1 << 30;

/// Writes `path` by `write`: to a temporary file, onto the disk, and then under its name; a link stays one, a device or a
/// pipe is written to. Where any of that fails (a full disk, say) what was at `path` stays as it was. Its folder is made if
/// there is none.
///
/// # Errors
/// Names the file and why.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    Ok(bitstate_files::write_whole(path, write)?)
}

/// The bytes of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    bitstate_files::read(path, limit).map_err(Error::file("read", path))
}

/// Removes the temporary files that a killed process left in `folder`, in the midst of [`write_atomically`].
pub fn sweep(folder: &Path) -> Result<(), Error> {
    bitstate_files::sweep(folder).map_err(Error::file("remove what a killed run left in", folder))
}
