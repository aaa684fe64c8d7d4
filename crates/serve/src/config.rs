//! Configuration and limits of a server.

use crate::error::ServeError;
use crate::key::Key;
use std::time::Duration;

/// Configuration of a server.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Model name that clients use. Default: the name in the model's description, else the file name.
    pub name: Option<String>,
    /// Limits per request, per connection and in total.
    pub limits: Limits,
    /// Number of generation threads, each with its own batch. 0: one per core.
    pub threads: usize,
    /// Size of the prompt cache in bytes. 0 disables it.
    pub prompt_cache: usize,
    /// Allowed `Host` names, in addition to localhost and the address that the server listens on.
    pub hosts: Vec<String>,
    /// Origins allowed to call from a browser (CORS), such as `https://example.org`. Default: none.
    pub origins: Vec<String>,
    /// API key required for `/v1` and `/metrics`. Default: no key.
    pub key: Option<Key>,
}

/// Limits of a server. The error for a request over a limit names the limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Number of answers generated concurrently.
    pub slots: usize,
    /// Number of requests that may wait for a slot. Further requests get 429.
    pub queue: usize,
    /// Number of open connections. Further ones are accepted when a connection closes.
    pub connections: usize,
    /// Maximum number of tokens in an answer.
    pub max_tokens: u32,
    /// Maximum number of tokens in a prompt.
    pub prompt_tokens: usize,
    /// Maximum size of a request body in bytes.
    pub body: usize,
    /// Maximum number of answers to a request (`n`).
    pub answers: u32,
    /// Maximum number of alternatives per token (`logprobs`, `top_logprobs`).
    pub alternatives: u32,
    /// Maximum number of stop texts.
    pub stops: usize,
    /// Memory for answers that are being generated or have not been sent, in bytes. Each request reserves its maximum, so
    /// that clients that do not read cannot exhaust the memory.
    pub memory: usize,
    /// Time limit for receiving the head of a request, and for an idle connection.
    pub head_time: Duration,
    /// Time limit for receiving the body of a request.
    pub body_time: Duration,
    /// Time limit for an answer, including the time in the queue.
    pub answer_time: Duration,
    /// Time limit for a client to accept more data.
    pub write_time: Duration,
    /// Time that running answers have to complete after the server is asked to stop. Then they are cut off.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            slots: 64,
            queue: 256,
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
    /// Checks that every limit is in its range.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        /// Upper bound for limits that take memory.
        const MANY: usize = 1 << 16;
        let counts = [
            ("slots", self.slots, 1, MANY),
            ("queued requests", self.queue, 0, MANY),
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
    /// Number of generation threads on a machine with `cores` cores.
    pub(crate) fn threads_of(&self, cores: usize) -> usize {
        match self.threads {
            0 => cores,
            threads => threads,
        }
    }
}
