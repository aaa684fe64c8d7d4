//! Errors of a session.

use bitstate_engine::{ForwardError, NotFinite};

/// Why a call of a session failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The engine rejected the call; the session is unchanged.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// A logit is NaN or infinite, so that no token can be chosen.
    #[error("no token can be chosen at position {position}: {not_finite}")]
    NotFinite {
        /// Number of tokens in the session, which is the position, from 0 on, of the requested token.
        position: u64,
        /// The lowest token with such a logit.
        not_finite: NotFinite,
    },
}
