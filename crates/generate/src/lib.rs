//! From a prompt to more of it: the sampler, and the session that puts an engine between two tokens.
//!
//! The same seed gives the same tokens on every target: the sampler does its sums in the workspace's one arithmetic.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod candidates;
mod error;
mod sampler;
mod session;

pub use error::SessionError;
pub use sampler::{Sampler, Sampling, SamplingError, SplitMix64};
pub use session::Session;
