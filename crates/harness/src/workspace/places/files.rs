//! Writing files atomically.

use crate::workspace::error::Error;
use crate::workspace::programs::process::owner::Identity;
use std::io::Write;
use std::path::Path;

/// Prefix of a temporary file; the run's identity follows.
pub(super) const PREFIX: &str = ".bitstate-";
/// Suffix of a temporary file.
pub(super) const SUFFIX: &str = ".tmp";

/// Creates a folder and its parents.
///
/// # Errors
/// If it cannot be created.
pub fn make_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))
}

/// Writes a file atomically: to a temporary file beside it, then renamed over it.
///
/// # Errors
/// If the folder cannot be created or the file cannot be written.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut file = temporary_file(folder)?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    // A temporary file is private to its owner; the result has the permissions of any other file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(Error::io("write", path))?;
    }
    file.persist(path).map_err(|error| Error::Io { action: "write", path: path.to_path_buf(), source: error.error })?;
    Ok(())
}

/// A temporary file that is to replace another one in a folder. It is removed when dropped; its name identifies the
/// run, so that one left by a killed run can be removed.
///
/// # Errors
/// If it cannot be created.
pub fn temporary_file(folder: &Path) -> Result<tempfile::NamedTempFile, Error> {
    let prefix = format!("{}{}-", PREFIX, Identity::own());
    let file = tempfile::Builder::new().prefix(&prefix).suffix(SUFFIX).tempfile_in(folder);
    file.map_err(Error::io("write into", folder))
}

/// Reads a text file.
///
/// # Errors
/// If it cannot be read.
pub fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(Error::io("read", path))
}

#[cfg(test)]
mod tests {
    use super::write_atomic;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        write_atomic(&path, b"first, and longer").unwrap();
        write_atomic(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
