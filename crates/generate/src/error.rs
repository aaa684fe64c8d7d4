//! What a session refuses.

use bitstate_engine::{ForwardError, NotFinite};

/// Why a session did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The engine refused the call; the session is as before.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// A logit is NaN or infinite, so that no token can be chosen.
    #[error("no token can be chosen at position {position}: {not_finite}")]
    NotFinite {
        /// Number of tokens that the session has taken in, which is the place, from 0 on, of the token that was wanted.
        position: u64,
        /// The lowest token with such a logit.
        not_finite: NotFinite,
    },
}
