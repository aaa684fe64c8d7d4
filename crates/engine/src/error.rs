//! What can go wrong, by call.

use bitstate_kernels::{MAX_N_EMBD, NotFinite, Unavailable};

/// A model that this engine cannot run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The variant asked for needs what this machine lacks.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// An INT8 head whose exact sums would not fit 32 bits.
    #[error("header.n_embd is {n_embd}: with an INT8 embedding this engine runs at most {MAX_N_EMBD}")]
    TooWide {
        /// D of the model.
        n_embd: usize,
    },
}

/// A call that the engine refuses. The state is as it was before, except with the two variants for logits that are not
/// finite: then the tokens of the call have been taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// A token that the model does not have.
    #[error("token {token} is out of range: the model has tokens 0 to {}", vocab_size - 1)]
    Token {
        /// The token given.
        token: u32,
        /// V of the model.
        vocab_size: usize,
    },
    /// A prompt of no tokens leaves nothing to predict from.
    #[error("the prompt is empty: give at least one token")]
    EmptyPrompt,
    /// Logits of a state that has nothing to predict from: the saved form holds what a session remembers, not what its
    /// last token came to.
    #[error("the state has seen no token since it was made, reset or restored: take it through at least one first")]
    NothingSeen,
    /// More of the largest logits than there are.
    #[error("the {asked} largest logits were asked for, the model has {vocab_size} tokens")]
    Top {
        /// Number asked for.
        asked: usize,
        /// V of the model.
        vocab_size: usize,
    },
    /// The room for the largest logits of many sessions is no multiple of the sessions, or more than there are.
    #[error("{asked} largest logits are not the same number, {vocab_size} at most, for each of {sessions} sessions")]
    TopMany {
        /// Number asked for, of all sessions together.
        asked: usize,
        /// Number of sessions.
        sessions: usize,
        /// V of the model.
        vocab_size: usize,
    },
    /// The logits do not have room for one value a token of the vocabulary, for each session.
    #[error("the logits have room for {found} values, this call gives {expected}")]
    Logits {
        /// Length of the slice given.
        found: usize,
        /// V of the model, times the number of sessions.
        expected: usize,
    },
    /// Not one token for each session.
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
        /// Place of the session in the call.
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
    /// The bytes do not start as a saved state does.
    #[error("these bytes are not a saved state: they do not start with `BSST`")]
    Magic,
    /// A saved state of another version.
    #[error("the saved state has version {found}, this engine reads version {}", crate::state::VERSION)]
    Version {
        /// The version found.
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
        /// Number of bytes given.
        found: usize,
        /// Number of bytes a state of this model has.
        expected: usize,
    },
    /// Too few or too many values of what the last token came to.
    #[error("the residual has {found} values, this model's have {expected}")]
    Residual {
        /// Number of values given.
        found: usize,
        /// D of the model.
        expected: usize,
    },
    /// Bytes that changed since they were saved.
    #[error("the saved state is damaged: its digest does not agree with its contents")]
    Damaged,
}
