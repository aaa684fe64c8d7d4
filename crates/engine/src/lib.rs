//! Inference of ternary RWKV models: [`Engine`] holds a model's weights laid out for one kernel variant, [`State`] is
//! everything a session remembers, and [`Engine::forward`] advances it by one token.
//!
//! Neither allocates after its creation, and a state has a fixed size for any length of text. The logits are the same
//! bits for every variant on every target, as defined in `crates/ARITHMETIC.md`.
//!
//! ```
//! use bitstate_engine::{Engine, TopLogit};
//! use bitstate_kernels::Variant;
//! use bitstate_model::{Model, Preset, Version, synthetic};
//!
//! let file = synthetic(&Preset::by_name("small")?.config(), 1, Version::V1_2);
//! let model = Model::parse(&file)?;
//! let engine = Engine::new(&model, Variant::best())?;
//! let mut state = engine.new_state();
//! let mut logits = vec![0.0; model.config.vocab_size];
//! engine.prefill(&[3, 1, 4], &mut state, &mut logits)?;
//! engine.forward(1, &mut state, &mut logits)?;
//! // The head is most of a token's work: request no more of it than is needed.
//! let mut likeliest = [TopLogit::default()];
//! engine.advance(&[5], &mut state)?;
//! engine.top_logits(&mut state, &mut likeliest, &mut logits)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod activations;
mod digest;
mod divide;
mod engine;
mod error;
mod forward;
mod layout;
mod memory;
mod observe;
mod state;
mod weights;
mod workers;

pub use bitstate_kernels::{HeadPath, NotFinite, TopLogit, WhyFull};
pub use engine::Engine;
pub use error::{EngineError, ForwardError, RestoreError};
pub use layout::PathOf;
pub use observe::{Observer, Part, Step};
pub use state::{Checkpoint, State};
pub use workers::Workers;
