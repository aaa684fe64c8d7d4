//! Shared by the suites: the variants of this machine, memory that detects stray accesses, and the kernel calls.
#![allow(dead_code, reason = "each suite uses its own part")]

pub mod call;
mod canonical;
pub mod data;
pub mod memory;
mod variants;

use bitstate_kernels::{Kernels, Variant};
pub use variants::variants;

/// The kernels of `generic`.
pub fn generic() -> Kernels {
    Kernels::new(Variant::Generic).expect("generic runs everywhere")
}

/// The bits of `values`, with all NaNs equal.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() }).collect()
}
