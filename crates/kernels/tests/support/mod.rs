//! What the suites share: the variants of this machine, memory that notices a stray access, and the kernel calls.
#![allow(dead_code, reason = "each suite uses its own part")]

pub mod call;
pub mod data;
pub mod memory;

use bitstate_kernels::{Kernels, Variant};

/// The kernels of every variant that this machine can run.
///
/// # Panics
/// Where one is missing that this machine is known to have: a suite that runs over nothing proves nothing.
pub fn variants() -> Vec<Kernels> {
    let found: Vec<Kernels> = Variant::ALL.into_iter().filter_map(|variant| Kernels::new(variant).ok()).collect();
    let names: Vec<&str> = found.iter().map(|kernels| kernels.variant().name()).collect();
    let mut expected = vec!["generic", "lut"];
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        expected.push("avx2");
    }
    #[cfg(target_arch = "wasm32")]
    expected.push("simd128");
    assert_eq!(names, expected, "variants that run here");
    found
}

/// The kernels of `generic`.
pub fn generic() -> Kernels {
    Kernels::new(Variant::Generic).expect("generic runs everywhere")
}

/// The bits of `values`, every NaN the same.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() }).collect()
}
