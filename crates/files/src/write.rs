//! Writing a file atomically: to a temporary file beside it, which is then renamed.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tempfile::Builder;

/// Prefix of the names of temporary files.
const TEMPORARY: &str = ".bitstate-";
/// Most links that are followed; the same as Linux follows.
const LINKS: usize = 40;

/// Why a file could not be written. An existing file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// No file can be created in the folder.
    #[error("cannot write into {}: {cause}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
}

/// Writes `path` with `write`: to a temporary file, which is synced and renamed, so that a reader, a signal or a full
/// disk never sees or leaves a partial file. A link stays a link, and its target is written. A device or a pipe is
/// written to directly.
///
/// # Errors
/// Names the file, or the folder in which none can be created, and the cause.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), WriteError> {
    let failed = |cause| WriteError::File { path: path.to_path_buf(), cause };
    let target = match place(path).map_err(failed)? {
        Place::Direct => {
            let open = File::options().write(true).open(path);
            return open.and_then(|mut file| write(&mut file)).map_err(failed);
        }
        Place::Whole(target) => target,
    };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = builder().tempfile_in(folder);
    let mut file = temporary.map_err(|cause| WriteError::Folder { folder: folder.to_path_buf(), cause })?;
    write(file.as_file_mut()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// How a path is written.
enum Place {
    /// It is not a regular file, so it cannot be replaced.
    Direct,
    /// A regular file after following all links; it may not exist yet.
    Whole(PathBuf),
}

fn place(path: &Path) -> io::Result<Place> {
    if fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir()) {
        return Ok(Place::Direct);
    }
    let mut target = path.to_path_buf();
    for _ in 0..LINKS {
        // Open files of a process, such as /dev/fd/3: their links are not paths.
        if target.starts_with("/proc") || target.starts_with("/dev/fd") {
            return Ok(Place::Direct);
        }
        match fs::read_link(&target) {
            // A relative link is relative to its own folder.
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(error) => match error.kind() {
                // Not a link, or nothing yet; a parent that is not a folder is reported on writing.
                ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    return Ok(Place::Whole(target));
                }
                _ => return Err(error),
            },
        }
    }
    Err(io::Error::other(format!("more than {LINKS} links follow each other")))
}

/// Removes the temporary files of [`write_whole`] that a killed process left in `folder`.
///
/// # Errors
/// If the folder cannot be read, or a file cannot be removed.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Temporary files with the permissions of any new file; by default only the owner could read them.
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
