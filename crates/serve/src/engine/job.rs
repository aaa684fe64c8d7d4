//! What is asked of the engine, and what it answers.

use bitstate::{Alternative, Digest, Sampling, Stop};
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;

/// A request that has its slots.
pub(crate) struct Job {
    pub prompt: Vec<u32>,
    pub sampling: Sampling,
    pub stop: Stop,
    /// Number of answers.
    pub n: usize,
    /// As many as answers; each is free again where it is dropped.
    pub slots: OwnedSemaphorePermit,
    /// When the client has waited long enough.
    pub deadline: Instant,
    /// Closed where the client has gone. What it holds is bounded by the tokens that were asked for.
    pub events: UnboundedSender<Event>,
}

/// What the engine says of a job.
#[derive(Debug)]
pub(crate) enum Event {
    /// A token of an answer.
    Token {
        answer: usize,
        id: u32,
        /// Text that can be shown, perhaps none.
        text: String,
        /// Where it was asked for: the token's, and the likeliest ones'.
        logprob: Option<f32>,
        alternatives: Vec<Alternative>,
    },
    /// An answer is complete.
    End {
        answer: usize,
        /// What was held back.
        text: String,
        finish: Finish,
        tokens: u64,
        digest: Digest,
    },
    /// Nothing more comes.
    Failed(Failure),
}

/// Why an answer ended, in OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
}

/// Why a job was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the answer took longer than the {0} seconds that this server gives one: ask for fewer tokens")]
    Overdue(u64),
    #[error("the server was told to stop, and this answer was cut; send the request again when it is back")]
    Stopping,
    #[error("{0}")]
    Model(String),
    #[error("the engine failed; the request can be sent again")]
    Panic,
}
