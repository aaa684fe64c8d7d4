//! The flag `--threads`.

use anyhow::{Context, Result, bail};
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
    /// How many threads to ask for.
    pub fn count(self) -> Result<usize> {
        let cores = available_parallelism().context("cannot tell how many cores there are")?.get();
        match self {
            Threads::Auto => Ok(cores),
            // Threads that share a core wait for each other: slower than one.
            Threads::Exactly(n) if n > cores => {
                bail!("--threads {n} is more than the cores this process may use: give at most {cores}, or auto")
            }
            Threads::Exactly(n) => Ok(n),
        }
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
