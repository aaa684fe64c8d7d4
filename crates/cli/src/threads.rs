//! The flag `--threads`.

use anyhow::{Context, Result, bail};
use bitstate_engine::Engine;
use bitstate_threads::Pool;
use std::str::FromStr;
use std::thread::available_parallelism;

/// How many threads are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// As many as this process has cores.
    Auto,
    Exactly(usize),
}

impl FromStr for Threads {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "auto" => Ok(Threads::Auto),
            Ok(0) => Err("no threads could do nothing: give 1 or more, or auto"),
            Ok(n) => Ok(Threads::Exactly(n)),
            Err(_) => Err("give a number from 1, or auto"),
        }
    }
}

impl Threads {
    /// The pool to divide the tokens of `engine` among; none where one thread is asked for, or is best.
    pub fn pool(self, engine: &Engine<'_>) -> Result<Option<Pool>> {
        let cores = available_parallelism().context("cannot tell how many cores there are")?.get();
        let threads = match self {
            Threads::Auto => cores,
            // Threads that share a core wait for each other: slower than one.
            Threads::Exactly(n) if n > cores => {
                bail!("--threads {n} is more than the cores this process may use: give at most {cores}, or auto")
            }
            Threads::Exactly(n) => n,
        };
        if threads == 1 || !engine.is_divisible() {
            return Ok(None);
        }
        Pool::new(threads).map(Some).with_context(|| format!("cannot start {threads} threads"))
    }

    /// What the summary says where `used` threads ran.
    pub fn used(self, used: usize) -> String {
        match self {
            Threads::Exactly(1) => String::new(),
            _ if used == 1 => ", --threads 1 (more would gain nothing here)".into(),
            _ => format!(", --threads {used}"),
        }
    }
}
