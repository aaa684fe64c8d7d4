//! What can go wrong, each with the fix.

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

/// Why a call did nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model file cannot be read.
    #[cfg(feature = "std")]
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file that is no model.
    #[cfg(feature = "std")]
    #[error("{} is not a model file this program reads: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: Box<bitstate_model::ReadError>,
    },
    /// Bytes that are no model.
    #[error("{name} is not a model file this program reads: {cause}")]
    Model {
        /// What the model is called.
        name: String,
        /// Why.
        cause: Box<ParseError>,
    },
    /// A model that this machine cannot run, or not by that variant.
    #[error("cannot run {name}: {cause}{}", without_variant(cause))]
    Engine {
        /// What the model is called.
        name: String,
        /// Why.
        cause: EngineError,
    },
    /// Threads that the system does not give.
    #[cfg(feature = "std")]
    #[error("cannot start {threads} threads: {cause}; ask for fewer, or for 1")]
    Threads {
        /// How many.
        threads: usize,
        /// Why.
        cause: std::io::Error,
    },
    /// The tokenizer, the ends of a text, or the description beside the model.
    #[cfg(feature = "std")]
    #[error(transparent)]
    Text(Box<TextError>),
    /// Text for a model whose tokens have none.
    #[error("{name}: its tokens have no text here; give it a tokenizer, or feed it token ids")]
    NoText {
        /// What the model is called.
        name: String,
    },
    /// Text that the tokenizer does not take.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// A sampling parameter out of its range.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Tokens that the model does not have, or no numbers to choose from.
    #[error("{name}: {cause}")]
    Session {
        /// What the model is called.
        name: String,
        /// Why.
        cause: SessionError,
    },
    /// A session file that cannot be resumed.
    #[error(transparent)]
    SessionFile(#[from] SessionFileError),
    /// A session file that cannot be read.
    #[cfg(feature = "std")]
    #[error("cannot read the session {}: {cause}", path.display())]
    ReadSession {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A session file that cannot be used, by its name.
    #[cfg(feature = "std")]
    #[error("{}: {cause}", path.display())]
    NamedSession {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: Box<SessionFileError>,
    },
    /// A session file that cannot be written; what was there before is still there.
    #[cfg(feature = "std")]
    #[error(transparent)]
    Write(#[from] bitstate_files::WriteError),
    /// More tokens to take back than a checkpoint lies behind.
    #[error(
        "cannot go back to token {asked}: the oldest place to go back to is token {oldest}; keep more checkpoints, or \
         feed the text again"
    )]
    Undo {
        /// Where to.
        asked: u64,
        /// The oldest place there is; the end of the text where no checkpoints are kept.
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
        EngineError::Unavailable(_) => "; where no variant is named, the fastest that runs here is taken",
        EngineError::TooWide { .. } => "",
    }
}
