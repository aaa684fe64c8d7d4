//! Files that are there whole or not at all.

use crate::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use tempfile::Builder;

/// Writes `path` by `write`: to a temporary file beside it, onto the disk, and then under its name. Where any of that
/// fails (a full disk, say) what was at `path` stays as it was.
///
/// # Errors
/// Names the file and why.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    let done = (|| {
        let mut file = builder().tempfile_in(folder)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    })();
    done.map_err(Error::file("write", path))
}

/// Temporary files with the rights of any new file; without this they would be for their owner alone.
fn builder<'a>() -> Builder<'a, 'a> {
    #[allow(unused_mut, reason = "only Unix has rights to set")]
    let mut builder = Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}
