//! Writing a file whole: beside its place first, then renamed into it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tempfile::Builder;

/// How the names of temporary files begin.
const TEMPORARY: &str = ".bitstate-";
/// Links that are followed, as many as Linux follows.
const LINKS: usize = 40;

/// Why a file could not be written. What was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder takes no new file.
    #[error("cannot write into {}: {cause}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Writes `path` by `write`: to a temporary file, onto the disk, and then under its name, so that a reader, a signal or a
/// full disk never leaves half of it. A link stays one, and what it points to is written. A device or a pipe is written
/// to directly.
///
/// # Errors
/// Names the file, or the folder that takes none, and why.
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
    /// What is there is no file that another can take the place of.
    Direct,
    /// This file, where all links end, which may not be there yet.
    Whole(PathBuf),
}

fn place(path: &Path) -> io::Result<Place> {
    if fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir()) {
        return Ok(Place::Direct);
    }
    let mut target = path.to_path_buf();
    for _ in 0..LINKS {
        // Files that a process has open, as /dev/fd/3: their links are not paths.
        if target.starts_with("/proc") || target.starts_with("/dev/fd") {
            return Ok(Place::Direct);
        }
        match fs::read_link(&target) {
            // A relative link begins at its own folder.
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(error) => match error.kind() {
                // No link, or nothing yet; a folder that is none is found when it is written into.
                ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    return Ok(Place::Whole(target));
                }
                _ => return Err(error),
            },
        }
    }
    Err(io::Error::other(format!("more than {LINKS} links follow each other")))
}

/// Removes the temporary files that a killed process left in `folder`, in the midst of [`write_whole`].
///
/// # Errors
/// If the folder cannot be read, or a file not removed.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

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
