//! From a prompt to text: tokenizers, the sampler, and the session that puts an engine between them.
//!
//! The same seed gives the same text on every target: the sampler does its sums in the workspace's one arithmetic.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod candidates;
mod sampler;
mod session;
mod tokenizer;

pub use sampler::{Sampler, Sampling, SamplingError, SplitMix64};
pub use session::Session;
pub use tokenizer::{ByteDecoder, ByteTokenizer, TokenizeError};
