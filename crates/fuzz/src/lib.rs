//! Fuzzing of everything in the project that reads bytes from outside, and of the sampler.
//!
//! Each target is a module with `run(data)`: it returns if the input is rejected with an error or all results agree, and
//! panics if two results that must be equal differ. libFuzzer generates the data (`cargo xtask fuzz`, one program per
//! target in `fuzzers/`, behind the feature `libfuzzer`); the tests of this crate replay the stored inputs:
//!
//! | folder | contents |
//! |---|---|
//! | `corpus/<target>/` | a small set of inputs that covers all code reached by fuzzing |
//! | `findings/<target>/` | inputs that once made a target fail, one file per fault |
//!
//! and the seeds, which [`seeds`] generates from `golden/` and `ci/`.
//!
//! ```
//! // Any bytes are either a model or rejected with an error; a panic is a finding.
//! bitstate_fuzz::bits::run(b"not a model");
//! let names: Vec<&str> = bitstate_fuzz::TARGETS.iter().map(|target| target.name).collect();
//! assert!(names.contains(&"bits"));
//! ```
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
pub mod session;
pub mod state;
pub mod tokenizer;

use std::path::Path;

/// Named inputs.
pub type Inputs = Vec<(String, Vec<u8>)>;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its module, program and folders.
    pub name: &'static str,
    /// Runs it on one input.
    ///
    /// # Panics
    /// If two results that must be equal differ.
    pub run: fn(&[u8]),
    /// Its initial inputs, generated from the workspace at a path.
    pub seeds: fn(&Path) -> anyhow::Result<Inputs>,
}

/// Every target.
pub const TARGETS: [Target; 9] = [
    Target { name: "bits", run: bits::run, seeds: seeds::bits },
    Target { name: "state", run: state::run, seeds: seeds::state },
    Target { name: "tokenizer", run: tokenizer::run, seeds: seeds::tokenizer },
    Target { name: "request", run: request::run, seeds: seeds::request },
    Target { name: "answer", run: answer::run, seeds: seeds::answer },
    Target { name: "records", run: records::run, seeds: seeds::records },
    Target { name: "definitions", run: definitions::run, seeds: seeds::definitions },
    Target { name: "sampler", run: sampler::run, seeds: seeds::sampler },
    Target { name: "session", run: session::run, seeds: seeds::session },
];
