//! Events of a training run, and its `log.jsonl`.

use crate::error::Error;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// A training event, printed or logged.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are named by what they are; their units are in the variants' words")]
pub enum Event {
    /// A step is done. Cross entropy and loss in nats per token, as means since the last line; the gradient's norm
    /// before clipping.
    Step { step: u64, tokens: u64, loss: f64, cross_entropy: f64, grad_norm: f64, lr: f64, tokens_per_second: f64 },
    /// Held-out text: nats per token, and bits per byte of text.
    Validated { step: u64, tokens: u64, cross_entropy: f64, bits_per_byte: f64, best: bool },
    /// A sample from the model, starting with the prompt.
    Sampled { step: u64, tokens: u64, text: String },
    /// A checkpoint was written.
    Saved { step: u64, path: PathBuf },
}

/// The result of a step.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    pub loss: f64,
    pub cross_entropy: f64,
    pub grad_norm: f64,
    pub lr: f64,
}

/// Means since the last line of the log.
pub struct Since {
    /// Start time, shifted by the time not spent training.
    pub start: Instant,
    tokens: u64,
    steps: f64,
    loss: f64,
    cross_entropy: f64,
}

impl Since {
    pub fn new(tokens: u64) -> Since {
        Since { start: Instant::now(), tokens, steps: 0.0, loss: 0.0, cross_entropy: 0.0 }
    }

    pub fn add(&mut self, done: Done) {
        self.steps += 1.0;
        self.loss += done.loss;
        self.cross_entropy += done.cross_entropy;
    }

    pub fn event(&self, step: u64, tokens: u64, Done { grad_norm, lr, .. }: Done) -> Event {
        let (loss, cross_entropy) = (self.loss / self.steps, self.cross_entropy / self.steps);
        let tokens_per_second = (tokens - self.tokens) as f64 / self.start.elapsed().as_secs_f64();
        Event::Step { step, tokens, loss, cross_entropy, grad_norm, lr, tokens_per_second }
    }
}

/// `log.jsonl`: one event per line.
pub struct Log {
    pub path: PathBuf,
    file: File,
}

impl Log {
    /// Opens it for appending to the lines of an interrupted run; for a `fresh` run it is emptied.
    pub fn open(path: PathBuf, fresh: bool) -> Result<Log, Error> {
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file("write", &path))?;
        if fresh {
            file.set_len(0).map_err(Error::file("write", &path))?;
        }
        Ok(Log { path, file })
    }

    pub fn write(&mut self, event: &Event) -> Result<(), Error> {
        let line = serde_json::to_string(event).map_err(|error| Error::content(&self.path, error))?;
        writeln!(self.file, "{line}").map_err(Error::file("write", &self.path))
    }
}
