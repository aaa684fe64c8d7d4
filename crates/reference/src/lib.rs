//! Two oracles for the output of a BitStateLM model, written for readability, not speed.
//!
//! | question | oracle |
//! |---|---|
//! | What does the *model* mean? | [`Definition`]: the mathematics in f64. Compare with a tolerance. |
//! | What must every *target* print, to the bit? | [`Canonical`]: `crates/ARITHMETIC.md` in f32. Compare bits, with all NaNs equal. |
//! | Which tokens must a seeded run produce? | [`generate()`]: [`Canonical`] with the [`Sampler`] of the same page. |
//!
//! The canonical arithmetic is one of many ways to round the definition. The two agree closely as long as every INT8
//! activation is rounded to the same side; a [`Trace`] of each shows whether it was, and how close to a tie the closest
//! one came. An activation rounded to the other side changes many later ones, and until its effect on the recurrent
//! state has decayed only a wide tolerance holds.
//!
//! Neither shares code with the engine, and they share none of their arithmetic with each other.
//!
//! ```
//! use bitstate_model::Model;
//! use bitstate_reference::{Canonical, CanonicalState, Definition, DefinitionState, Sampling, Trace, generate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/peer/small-v1.2.bits"))?;
//! let model = Model::parse(&bytes)?;
//!
//! // What the model means, and whether f32 may have rounded an activation to the other side.
//! let definition = Definition::new(&model);
//! let (mut state, mut exact) = (DefinitionState::new(&model.config), Trace::default());
//! let logits: Vec<f64> = definition.forward_traced(3, &mut state, &mut exact);
//!
//! // What a target must print, to the bit.
//! let canonical = Canonical::new(&model);
//! let (mut state, mut rounded) = (CanonicalState::new(&model.config), Trace::default());
//! let bits: Vec<f32> = canonical.forward_traced(3, &mut state, &mut rounded);
//! assert!(exact.flips(&rounded) > 0 || logits.iter().zip(&bits).all(|(a, &b)| (a - f64::from(b)).abs() < 1e-3));
//!
//! // What a seeded run must produce.
//! let seeded = Sampling::Seeded { seed: 1, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1 };
//! let answer = generate(&canonical, &[3, 1, 4], &seeded, 16);
//! assert_eq!(answer.tokens.len(), 16);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod canonical;
mod definition;
mod generate;
pub mod sampling;
mod trace;

pub use canonical::{Canonical, CanonicalState};
pub use definition::{Definition, DefinitionState, GroupNorm};
pub use generate::{Generation, generate};
pub use sampling::{Chain, NotFinite, Sampler, Sampling};
pub use trace::{BitLinearCall, Trace};
