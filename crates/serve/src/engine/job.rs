//! Jobs for the engine, and its events.

use super::Outbox;
use bitstate::{Alternative, Digest, Sampling, Stop};
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// A request with its slots.
pub(crate) struct Job {
    pub prompt: Vec<u32>,
    pub sampling: Sampling,
    pub stop: Stop,
    /// Number of answers.
    pub n: usize,
    /// One per answer; dropping one frees it.
    pub slots: OwnedSemaphorePermit,
    /// Deadline of the answer.
    pub deadline: Instant,
    /// Closed when the client disconnects. Its size is bounded by the requested number of tokens.
    pub events: Outbox,
}

/// An event of a job.
#[derive(Debug)]
pub(crate) enum Event {
    /// A token of an answer.
    Token {
        answer: usize,
        id: u32,
        /// Text that can be shown, possibly empty.
        text: String,
        /// If requested: the probability of the token, and those of the likeliest tokens.
        logprob: Option<f32>,
        alternatives: Vec<Alternative>,
    },
    /// An answer is complete.
    End {
        answer: usize,
        /// Text that was held back.
        text: String,
        finish: Finish,
        tokens: u64,
        digest: Digest,
    },
    /// The last event.
    Failed(Failure),
}

/// Why an answer ended, in OpenAI's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
}

/// Why a job was aborted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the answer took longer than this server's limit of {0} seconds: request fewer tokens")]
    Overdue(u64),
    #[error("the server is stopping, and this answer was cut off; send the request again after the restart")]
    Stopping,
    #[error("{0}")]
    Model(String),
    #[error("the engine failed; the request can be sent again")]
    Panic,
}
