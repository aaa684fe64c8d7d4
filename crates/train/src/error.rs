//! The errors of the trainer.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// Why the trainer stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {what} {}: {cause}", path.display())]
    File {
        /// `read`, `write` and so on.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A text or a tokenizer could not be read, or is malformed.
    #[error(transparent)]
    Input(#[from] bitstate_tokenizer::FileError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] bitstate_files::WriteError),
    /// A malformed file.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and how to fix it.
        problem: String,
    },
    /// An invalid `train.toml`.
    #[error("{}: {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the nearest valid key for a misspelt one.
        problem: String,
    },
    /// The loss or a gradient is not finite.
    #[error(
        "the loss is {loss} at step {step}: training stopped, the checkpoint of step {kept} is kept; \
         a lower lr or a longer warmup may help"
    )]
    NotFinite {
        /// The step.
        step: u64,
        /// The loss.
        loss: f32,
        /// The step of the last checkpoint; 0 if there is none.
        kept: u64,
    },
    /// The weights cannot be written as a BITS file.
    #[error("cannot export: {0}")]
    Export(bitstate_model::WriteError),
    /// A tokenizer failed on a text.
    #[error(transparent)]
    Tokenize(#[from] bitstate_tokenizer::TokenizeError),
    /// Any other refused request.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |cause| Error::File { what, path, cause }
    }

    pub(crate) fn content(path: &Path, problem: impl Display) -> Error {
        Error::Content { path: path.to_path_buf(), problem: problem.to_string() }
    }
}

/// The name among `known` that is nearest to `name`.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)))
}
