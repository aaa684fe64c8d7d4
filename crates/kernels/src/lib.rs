//! The kernels of the engine: ternary matrix × INT8 vector, the head, and the f32 steps between them.
//!
//! Every variant implements the arithmetic of `crates/ARITHMETIC.md` to the bit. [`Kernels`] is the entry point:
//! created for one [`Variant`] after checking the CPU, with checked shapes, safe to call. It is the only engine crate
//! with `unsafe` code: instruction-set intrinsics, each behind a capability token.
//!
//! ```
//! use bitstate_kernels::{Kernels, Variant};
//!
//! let plain = Kernels::new(Variant::Generic)?;
//! let best = Kernels::new(Variant::best())?;
//! let (x, ones, zeros) = ([1.5, -2.0, 0.25, 4.0], [1.0; 4], [0.0; 4]);
//! let (mut a, mut b) = ([0.0; 4], [0.0; 4]);
//! plain.layer_norm(&x, &ones, &zeros, &mut a);
//! best.layer_norm(&x, &ones, &zeros, &mut b);
//! // Not just close: the same bits.
//! assert_eq!(a.map(f32::to_bits), b.map(f32::to_bits));
//! # Ok::<(), bitstate_kernels::Unavailable>(())
//! ```
#![no_std]
extern crate alloc;
// On these targets, std detects the CPU features.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", not(target_os = "none"))))]
extern crate std;

mod finite;
mod head;
mod isa;
mod kernels;
mod path;
mod ternary;
mod top;
mod variant;
mod vector;

pub use finite::NotFinite;
pub use head::{Divide, HeadPath, HeadRows, Int8Head, ReadOrder, WhyFull};
pub use isa::Unavailable;
pub use kernels::Kernels;
pub use path::{Path, Tail};
pub use ternary::{MatmulScratch, QuantisedRows, TernaryMatrix};
pub use top::TopLogit;
pub use variant::{UnknownVariant, Variant};
pub use vector::{GatedInput, MixInput, NormInput, WkvInput};

/// Widest model for which the sums of the head fit i32: `128 · 16383 · 1024 < 2^31`.
pub const MAX_N_EMBD: usize = 1024;
