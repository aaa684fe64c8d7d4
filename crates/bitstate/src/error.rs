//! Errors, each with its fix.

use crate::SessionFileError;
#[cfg(feature = "std")]
use crate::text::TextError;
use alloc::boxed::Box;
use alloc::string::String;
use bitstate_engine::EngineError;
use bitstate_generate::{SamplingError, SessionError};
use bitstate_model::ParseError;
use bitstate_tokenizer::TokenizeError;
#[cfg(feature = "std")]
use std::path::PathBuf;

/// Why a call failed; it changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model file cannot be read.
    #[cfg(feature = "std")]
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// A file that is not a model.
    #[cfg(feature = "std")]
    #[error("{} is not a model file this program reads: {cause}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The cause.
        cause: Box<bitstate_model::ReadError>,
    },
    /// Bytes that are not a model.
    #[error("{name} is not a model file this program reads: {cause}")]
    Model {
        /// The model's name.
        name: String,
        /// The cause.
        cause: Box<ParseError>,
    },
    /// A model that this machine cannot run, or not with that variant.
    #[error("cannot run {name}: {cause}{}", without_variant(cause))]
    Engine {
        /// The model's name.
        name: String,
        /// The cause.
        cause: EngineError,
    },
    /// Threads that the system cannot start.
    #[cfg(feature = "std")]
    #[error("cannot start {threads} threads: {cause}; ask for fewer, or for 1")]
    Threads {
        /// Their number.
        threads: usize,
        /// The cause.
        cause: std::io::Error,
    },
    /// The tokenizer, the end tokens, or the description beside the model.
    #[cfg(feature = "std")]
    #[error(transparent)]
    Text(Box<TextError>),
    /// Text for a model whose tokens have none.
    #[error("{name}: its tokens have no text here; give it a tokenizer, or feed it token ids")]
    NoText {
        /// The model's name.
        name: String,
    },
    /// Text that the tokenizer rejects.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// A sampling parameter out of its range.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Tokens outside the model's vocabulary, or logits that are not finite.
    #[error("{name}: {cause}")]
    Session {
        /// The model's name.
        name: String,
        /// The cause.
        cause: SessionError,
    },
    /// A session file that cannot be resumed.
    #[error(transparent)]
    SessionFile(#[from] SessionFileError),
    /// A session file that cannot be read.
    #[cfg(feature = "std")]
    #[error("cannot read the session {}: {cause}", path.display())]
    ReadSession {
        /// The path.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// A session file that cannot be used, with its path.
    #[cfg(feature = "std")]
    #[error("{}: {cause}", path.display())]
    NamedSession {
        /// The path.
        path: PathBuf,
        /// The cause.
        cause: Box<SessionFileError>,
    },
    /// A session file that cannot be written; the previous file is intact.
    #[cfg(feature = "std")]
    #[error(transparent)]
    Write(#[from] bitstate_files::WriteError),
    /// More tokens to undo than there are checkpoints for.
    #[error(
        "cannot go back to token {asked}: the oldest place to go back to is token {oldest}; keep more checkpoints, or \
         feed the text again"
    )]
    Undo {
        /// The requested position.
        asked: u64,
        /// The oldest place; the end of the text if no checkpoints are kept.
        oldest: u64,
    },
}

#[cfg(feature = "std")]
impl From<TextError> for Error {
    fn from(error: TextError) -> Self {
        Error::Text(Box::new(error))
    }
}

fn without_variant(cause: &EngineError) -> &'static str {
    match cause {
        EngineError::Unavailable(_) => "; without a named variant, the fastest one that runs here is used",
        EngineError::TooWide { .. } => "",
    }
}
