//! Untrusted files: read up to a size limit, with the path in every error.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// The content is invalid.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The path.
        path: PathBuf,
        /// What is wrong and how to fix it.
        problem: String,
    },
}

impl FileError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_path_buf();
        move |cause| FileError::Read { path, cause }
    }

    pub(crate) fn content(path: &Path, problem: impl Display) -> FileError {
        FileError::Content { path: path.to_path_buf(), problem: problem.to_string() }
    }
}

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::read(path))?;
    read_from(file, path, limit)
}

/// The bytes of a file of at most `limit` bytes; `None` if there is no such file.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let file = match File::open(path) {
        // Beside `/dev/fd/3`, as a shell names a pipe, no files can exist.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        opened => opened.map_err(FileError::read(path))?,
    };
    read_from(file, path, limit).map(Some)
}

fn read_from(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(FileError::read(path))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::content(
            path,
            format_args!("larger than {limit} bytes, which is too large for its kind"),
        ));
    }
    Ok(bytes)
}
