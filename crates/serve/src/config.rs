//! What a server allows and keeps.

use crate::error::ServeError;
use crate::key::Key;
use std::time::Duration;

/// How a server serves.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The model's name for clients; its description's, or that of its file, if not given.
    pub name: Option<String>,
    /// What a client may take.
    pub limits: Limits,
    /// Threads that generate, each with a batch of its own; 0 is one for every core but one, and at least one.
    pub threads: usize,
    /// Bytes of prompts that were read and are kept for others that begin alike; 0 keeps none.
    pub prompt_cache: usize,
    /// Names that requests may give in `Host`, beside addresses of this machine's loopback and the one listened at.
    pub hosts: Vec<String>,
    /// Origins whose pages may call, such as `https://example.org`; none if not given.
    pub origins: Vec<String>,
    /// What clients of `/v1` and `/metrics` must send; anybody is served without one.
    pub key: Option<Key>,
}

/// What a client may take. Every limit is in the error of a request that is over it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Texts in the making at once: places.
    pub places: usize,
    /// Requests that wait for a place; one more is told to come back (429).
    pub waiting: usize,
    /// Connections open at once; more are accepted when one of them closes.
    pub connections: usize,
    /// Tokens of an answer.
    pub max_tokens: u32,
    /// Tokens of a prompt.
    pub prompt_tokens: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// Answers to one request.
    pub answers: u32,
    /// Alternatives to a token.
    pub alternatives: u32,
    /// Texts to stop at.
    pub stops: usize,
    /// Bytes of answers that are being made or have not been taken yet. Each answer has the most that it can come to
    /// reserved, so that clients who take nothing cannot fill the memory.
    pub memory: usize,
    /// Time for the head of a request, and that a connection may be idle.
    pub head_time: Duration,
    /// Time for the body of a request.
    pub body_time: Duration,
    /// Time for an answer, waiting included.
    pub answer_time: Duration,
    /// Time in which a client must take some of what is sent.
    pub write_time: Duration,
    /// Time that answers in the making have once the server is told to stop; then they are cut.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            places: 64,
            waiting: 256,
            connections: 1024,
            max_tokens: 4096,
            prompt_tokens: 16_384,
            body: 1 << 20,
            answers: 16,
            alternatives: 20,
            stops: 16,
            memory: 512 << 20,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(300),
            write_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Whether something could be served with them, and whether the system could.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        /// Of what each takes memory.
        const MANY: usize = 1 << 16;
        let counts = [
            ("places", self.places, 1, MANY),
            ("waiting requests", self.waiting, 0, MANY),
            ("connections", self.connections, 1, MANY),
            ("tokens of an answer", self.max_tokens as usize, 1, u32::MAX as usize),
            ("tokens of a prompt", self.prompt_tokens, 1, usize::MAX),
            ("answers to a request", self.answers as usize, 1, MANY),
            ("bytes of answers", self.memory, 1 << 20, 1 << 40),
        ];
        for (what, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                return Err(ServeError::Limit { what, found, least, most });
            }
        }
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let times = [self.head_time, self.body_time, self.answer_time, self.write_time, self.stop_time];
        match times.into_iter().find(|time| *time > YEAR) {
            Some(time) => Err(ServeError::Time(time.as_secs())),
            None => Ok(()),
        }
    }
}

impl Config {
    /// Threads that generate on a machine of so many cores.
    pub(crate) fn threads_of(&self, cores: usize) -> usize {
        match self.threads {
            0 => cores.saturating_sub(1).max(1),
            threads => threads,
        }
    }
}
