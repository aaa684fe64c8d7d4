//! What the suites share: the variants of this machine, memory that notices a stray access, and the kernel calls.
#![allow(dead_code, reason = "each suite uses its own part")]

pub mod call;
pub mod data;
pub mod memory;
mod variants;

use bitstate_kernels::{Kernels, Variant};
pub use variants::variants;

/// The kernels of `generic`.
pub fn generic() -> Kernels {
    Kernels::new(Variant::Generic).expect("generic runs everywhere")
}

/// The bits of `values`, every NaN the same.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() }).collect()
}
