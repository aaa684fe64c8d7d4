//! Two oracles that say what a BitStateLM model answers, written to be read rather than to be fast.
//!
//! | question | oracle |
//! |---|---|
//! | Is this what the *model* means? | [`Definition`]: the mathematics in f64. Compare with a tolerance. |
//! | Is this what every *target* must print, to the bit? | [`Canonical`]: `crates/ARITHMETIC.md` in f32. Compare bits, NaNs alike. |
//! | Which tokens must a seeded run give? | [`generate()`]: [`Canonical`] with the [`Sampler`] of the same page. |
//!
//! The canonical arithmetic is one way among many to round the definition. What ties the two together is that
//! they agree closely as long as every INT8 activation was rounded to the same side; a [`Trace`] of each says
//! whether it was, and how near to a tie the nearest one came. One activation on the other side moves many more
//! after it, and until the recurrent state has forgotten them only a wide tolerance holds.
//!
//! Neither shares code with the engine, and they share none of their arithmetic with each other.
//!
//! ```no_run
//! use bitstate_model::Model;
//! use bitstate_reference::{Canonical, CanonicalState, Definition, DefinitionState, Sampling, Trace, generate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bytes = std::fs::read("golden/peer/small-v1.2.bits")?;
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
//! // What a seeded run must answer.
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
