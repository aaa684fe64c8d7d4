//! Why a session file cannot be resumed.

use super::{MAGIC, VERSION};
use alloc::string::String;
use bitstate_engine::RestoreError;
use bitstate_generate::SamplingError;
use bitstate_protocol::Digest;
use bitstate_tokenizer::DecoderError;

/// Bytes that cannot be resumed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionFileError {
    /// The bytes do not begin like a session file.
    #[error("not a session file: it does not begin with {MAGIC:?}; give one that `save` wrote")]
    Magic,
    /// A session file of another version.
    #[error("the session file has version {found}, and this program reads version {VERSION}: use a newer program")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The bytes have changed since they were saved.
    #[error("the session file is damaged: its checksum is {found}, and its bytes give {expected}; use another copy")]
    Damaged {
        /// The checksum in the file.
        found: Digest,
        /// The checksum of its bytes.
        expected: Digest,
    },
    /// A session of another model.
    #[error("the session is of another model, of SHA-256 {found}; this one has {expected}: open that model")]
    Model {
        /// The digest in the file.
        found: String,
        /// The digest of the model.
        expected: String,
    },
    /// A session of another tokenizer.
    #[error("the session is of another tokenizer, {found:?}; the model has {expected:?}: open the model with that one")]
    Tokenizer {
        /// The digest in the file; empty for none.
        found: String,
        /// The digest of the model's; empty for none.
        expected: String,
    },
    /// An invalid part.
    #[error("the session file is wrong at byte {offset}: {field} {problem}")]
    Field {
        /// The part.
        field: &'static str,
        /// Its offset, or that of the error in it.
        offset: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// An invalid saved state.
    #[error("the state in the session file, from byte {offset}: {cause}")]
    State {
        /// Its offset.
        offset: usize,
        /// What is wrong with it.
        cause: RestoreError,
    },
    /// An invalid decoder state.
    #[error("the decoder in the session file, from byte {offset}: {cause}")]
    Decoder {
        /// Its offset.
        offset: usize,
        /// What is wrong with it.
        cause: DecoderError,
    },
    /// Sampling parameters out of range.
    #[error("the sampling of the session file: {0}")]
    Sampling(SamplingError),
}
