//! The handle of one variant's kernels: created after checking the CPU, and freely copied. Its methods are in the
//! folders: the f32 steps in `vector`, ternary matrices in `ternary`, the head in `head`.

use crate::isa::{Isa, Unavailable};
use crate::variant::Variant;

/// The kernels of one variant.
#[derive(Debug, Clone, Copy)]
pub struct Kernels {
    variant: Variant,
    pub(crate) isa: Isa,
}

impl Kernels {
    /// The kernels of `variant`.
    ///
    /// # Errors
    /// If the CPU or the target lacks what the variant needs.
    pub fn new(variant: Variant) -> Result<Self, Unavailable> {
        Ok(Kernels { variant, isa: Isa::detect(variant)? })
    }

    /// The variant.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// How many rows of activations are worth collecting for one pass over the weights. Plain Rust gains nothing, and
    /// the machines it is meant for have little memory.
    #[inline]
    pub fn batch_rows(&self) -> usize {
        if matches!(self.variant, Variant::Generic | Variant::Lut | Variant::Mve) { 1 } else { 16 }
    }
}

impl Variant {
    /// The fastest variant that runs here.
    pub fn best() -> Self {
        Variant::ALL.into_iter().rev().find(|&variant| Kernels::new(variant).is_ok()).unwrap_or(Variant::Generic)
    }
}

/// Checks that vectors have the required length: those of the engine do, so a failed check is a bug in the caller.
#[track_caller]
#[inline(always)]
pub(crate) fn same_length<const N: usize>(expected: usize, lengths: &[usize; N]) {
    let mut same = true;
    for &length in lengths {
        same &= length == expected;
    }
    if !same {
        other_length(expected, lengths);
    }
}

#[track_caller]
#[cold]
#[inline(never)]
fn other_length(expected: usize, lengths: &[usize]) -> ! {
    panic!("vector lengths {lengths:?} are not all {expected}");
}
