//! Text generation: the sampler, and the session that combines it with an engine.
//!
//! The same seed gives the same tokens on every target: the sampler uses the same arithmetic as the kernels.
//!
//! ```
//! use bitstate_engine::Engine;
//! use bitstate_generate::{Sampling, Session};
//! use bitstate_kernels::Variant;
//! use bitstate_model::{Model, Preset, Version, synthetic};
//!
//! let file = synthetic(&Preset::by_name("small")?.config(), 1, Version::V1_2);
//! let model = Model::parse(&file)?;
//! let engine = Engine::new(&model, Variant::best())?;
//! let mut session = Session::new(&engine, Sampling::greedy())?;
//! session.feed(&[3, 1, 4])?;
//! for _ in 0..5 {
//!     let token = session.choose()?;
//!     session.advance(token)?;
//! }
//! assert_eq!(session.position(), 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod candidates;
mod error;
mod random;
mod recent;
mod sampler;
mod sampling;
mod session;

pub use error::SessionError;
pub use random::SplitMix64;
pub use sampler::{Sampler, SamplerMemory};
pub use sampling::{Order, Sampling, SamplingError};
pub use session::{Progress, Session};
