//! The work of every target: reads a request and writes the lines of an answer.
//!
//! The suite judges nothing. It reports what this target computed; the harness compares that with the golden values.
//! Sessions of the library `bitstate` need the feature `sessions`.
//!
//! ```
//! use bitstate_model::{Preset, Version, synthetic};
//! use bitstate_suite::{HeapUse, Host, run};
//!
//! /// A target without a heap, whose clock counts its own readings.
//! #[derive(Default)]
//! struct Minimal {
//!     ticks: u64,
//!     answer: String,
//! }
//!
//! impl Host for Minimal {
//!     fn target(&self) -> &str {
//!         "minimal"
//!     }
//!     fn tick_metric(&self) -> (&'static str, &'static str) {
//!         ("time", "ns")
//!     }
//!     fn ticks(&mut self) -> u64 {
//!         self.ticks += 1;
//!         self.ticks
//!     }
//!     fn heap(&mut self) -> HeapUse {
//!         HeapUse::default()
//!     }
//!     fn line(&mut self, line: &str) {
//!         self.answer += line;
//!     }
//! }
//!
//! let model = synthetic(&Preset::by_name("small")?.config(), 1, Version::V1_2);
//! let request = "bitstate-request version=2 variant=generic\nstream case=a prompt=3,1 max_tokens=4 sampler=greedy\n";
//! let mut host = Minimal::default();
//! let succeeded = run(request, &model, &mut host)?;
//! assert!(succeeded && host.answer.contains("stream case=a tokens="));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod checks;
mod host;
mod jobs;
mod measured;
mod profile;
mod regions;
#[cfg(feature = "sessions")]
mod sessions;
mod steps;

#[cfg(target_has_atomic = "ptr")]
pub use host::HeapCounter;
pub use host::{HeapUse, Host};
pub use jobs::{RunError, run, run_with};
