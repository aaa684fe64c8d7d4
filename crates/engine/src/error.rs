//! Errors, by call.

use bitstate_kernels::{MAX_N_EMBD, NotFinite, Unavailable};

/// A model that this engine cannot run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The requested variant needs something that this machine lacks.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// An INT8 head whose exact sums would not fit 32 bits.
    #[error("header.n_embd is {n_embd}: with an INT8 embedding this engine runs at most {MAX_N_EMBD}")]
    TooWide {
        /// D of the model.
        n_embd: usize,
    },
}

/// A rejected call. The state is unchanged, except for the two variants for logits that are not finite: then it has
/// advanced by the tokens of the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// A token outside the model's vocabulary.
    #[error("token {token} is out of range: the model has tokens 0 to {}", vocab_size - 1)]
    Token {
        /// The given token.
        token: u32,
        /// V of the model.
        vocab_size: usize,
    },
    /// An empty prompt: there is nothing to predict from.
    #[error("the prompt is empty: give at least one token")]
    EmptyPrompt,
    /// Logits of a state without a last token: the saved form contains what a session remembers, not the result of its
    /// last token.
    #[error("the state has had no token since it was created, reset or restored: advance it by at least one first")]
    NothingSeen,
    /// More of the largest logits were requested than there are.
    #[error("the {asked} largest logits were requested, the model has {vocab_size} tokens")]
    Top {
        /// Number requested.
        asked: usize,
        /// V of the model.
        vocab_size: usize,
    },
    /// The slice for the largest logits of many sessions cannot be divided evenly, or its parts exceed the vocabulary.
    #[error("{asked} largest logits cannot be divided evenly among {sessions} sessions, at most {vocab_size} each")]
    TopMany {
        /// Number requested, for all sessions together.
        asked: usize,
        /// Number of sessions.
        sessions: usize,
        /// V of the model.
        vocab_size: usize,
    },
    /// The slice for logits does not have one value per token of the vocabulary and session.
    #[error("the slice for logits has {found} values, this call writes {expected}")]
    Logits {
        /// Length of the given slice.
        found: usize,
        /// V of the model, times the number of sessions.
        expected: usize,
    },
    /// The numbers of tokens and sessions differ.
    #[error("{tokens} tokens for {states} sessions: give one token to each")]
    Sessions {
        /// Number of tokens given.
        tokens: usize,
        /// Number of states given.
        states: usize,
    },
    /// A logit is NaN or infinite.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// A logit of one of many sessions is NaN or infinite.
    #[error("session {session}: {}", NotFinite { token: *token })]
    NotFiniteMany {
        /// Index of the session in the call.
        session: usize,
        /// The lowest token with such a logit.
        token: u32,
    },
    /// A state that was made for another model, or for another variant's layout.
    #[error(
        "the state was made by an engine of another model or another variant: \
         make one with this engine, or save that one and restore it with this engine"
    )]
    State,
}

/// Bytes that are not a state of this model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The bytes do not start like a saved state.
    #[error("these bytes are not a saved state: they do not start with `BSST`")]
    Magic,
    /// A saved state of another version.
    #[error("the saved state has version {found}, this engine reads version {}", crate::state::VERSION)]
    Version {
        /// The version in the bytes.
        found: u32,
    },
    /// A state of another model.
    #[error("the saved state belongs to the model {found:016x}, this engine runs {expected:016x}")]
    Model {
        /// Digest in the saved state.
        found: u64,
        /// Digest of the engine's model.
        expected: u64,
    },
    /// Too few or too many bytes.
    #[error("the saved state has {found} bytes, this model's states have {expected}")]
    Length {
        /// Number of given bytes.
        found: usize,
        /// Number of bytes of this model's states.
        expected: usize,
    },
    /// Too few or too many values of the residual.
    #[error("the residual has {found} values, this model's have {expected}")]
    Residual {
        /// Number of given values.
        found: usize,
        /// D of the model.
        expected: usize,
    },
    /// The bytes have changed since they were saved.
    #[error("the saved state is damaged: its digest does not match its contents")]
    Damaged,
}
