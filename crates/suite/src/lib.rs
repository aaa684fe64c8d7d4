//! The work every target does: a request in, the lines of an answer out.
//!
//! The suite judges nothing. It says what this target computed; the harness holds that against the golden values.
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
