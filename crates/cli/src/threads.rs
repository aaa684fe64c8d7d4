//! The flag `--threads`.

use anyhow::{Context, Result, bail};
use std::str::FromStr;
use std::thread::available_parallelism;

/// Number of threads requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One per core that this process may use.
    Auto,
    Exactly(usize),
}

impl FromStr for Threads {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "auto" => Ok(Threads::Auto),
            Ok(0) => Err("at least one thread is needed: give 1 or more, or auto"),
            Ok(n) => Ok(Threads::Exactly(n)),
            Err(_) => Err("give a number from 1 up, or auto"),
        }
    }
}

impl Threads {
    /// Number of threads to request.
    pub fn count(self) -> Result<usize> {
        let cores = available_parallelism().context("cannot determine the number of cores")?.get();
        match self {
            Threads::Auto => Ok(cores),
            // Threads that share a core wait for each other, which is slower than one thread.
            Threads::Exactly(n) if n > cores => {
                bail!("--threads {n} is more than the cores this process may use: give at most {cores}, or auto")
            }
            Threads::Exactly(n) => Ok(n),
        }
    }

    /// The part of the summary for `used` threads.
    pub fn used(self, used: usize) -> String {
        match self {
            Threads::Exactly(1) => String::new(),
            _ if used == 1 => ", --threads 1 (more would not be faster here)".into(),
            _ => format!(", --threads {used}"),
        }
    }
}
