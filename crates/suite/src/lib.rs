//! The work of every target: reads a request and writes the lines of an answer.
//!
//! The suite judges nothing. It reports what this target computed; the harness compares that with the golden values.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod checks;
mod host;
mod jobs;
mod measured;
mod profile;
mod regions;
mod steps;

#[cfg(target_has_atomic = "ptr")]
pub use host::HeapCounter;
pub use host::{HeapUse, Host};
pub use jobs::{RunError, run, run_with};
