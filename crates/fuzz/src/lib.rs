//! Made-up input for everything of the project that reads bytes from outside, and for the sampler.
//!
//! Each target is a module with `run(data)`: it returns for input that is refused with an error and for input whose answers
//! agree, and panics where two answers that must be the same differ. libFuzzer makes the data (`cargo xtask fuzz`, one
//! program a target in `fuzzers/`, behind the feature `libfuzzer`); the tests of this crate replay what is kept:
//!
//! | folder | what |
//! |---|---|
//! | `corpus/<target>/` | a small set of inputs that reach all the code that fuzzing has reached |
//! | `findings/<target>/` | inputs that once made a target fail, one file a fault |
//!
//! and the seeds, which [`seeds`] makes from `golden/` and `ci/`.
#![forbid(unsafe_code)]

pub mod answer;
pub mod bits;
pub mod definitions;
mod input;
mod models;
pub mod records;
pub mod request;
pub mod sampler;
pub mod seeds;
pub mod state;
pub mod tokenizer;

use std::path::Path;

/// Named inputs.
pub type Inputs = Vec<(String, Vec<u8>)>;

/// Something that is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its module, its program and its folders.
    pub name: &'static str,
    /// Gives it one input.
    ///
    /// # Panics
    /// Where two answers that must be the same differ.
    pub run: fn(&[u8]),
    /// The inputs that it starts from, made from the workspace at a path.
    pub seeds: fn(&Path) -> anyhow::Result<Inputs>,
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "bits", run: bits::run, seeds: seeds::bits },
    Target { name: "state", run: state::run, seeds: seeds::state },
    Target { name: "tokenizer", run: tokenizer::run, seeds: seeds::tokenizer },
    Target { name: "request", run: request::run, seeds: seeds::request },
    Target { name: "answer", run: answer::run, seeds: seeds::answer },
    Target { name: "records", run: records::run, seeds: seeds::records },
    Target { name: "definitions", run: definitions::run, seeds: seeds::definitions },
    Target { name: "sampler", run: sampler::run, seeds: seeds::sampler },
];
