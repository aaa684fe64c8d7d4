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
        // A device or a pipe is written to; a file in its place would be the end of it.
        if fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir()) {
            return write(&mut File::options().write(true).open(path)?);
        }
        let mut file = builder().tempfile_in(folder)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    })();
    done.map_err(Error::file("write", path))
}

/// Removes the temporary files that a killed process left in `folder`, in the midst of [`write_atomically`].
pub fn sweep(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)) {
            fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
    }
    Ok(())
}

/// How temporary files' names begin.
const TEMPORARY: &str = ".bitstate-";

/// Temporary files with the rights of any new file; without this they would be for their owner alone.
fn builder<'a>() -> Builder<'a, 'a> {
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}
