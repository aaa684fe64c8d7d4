//! The variants of this machine. The tests of other crates include this file too.

use bitstate_kernels::{Kernels, Variant};

/// The kernels of every variant that this machine can run.
///
/// # Panics
/// If a variant is missing although this machine has its instructions, or present although it has not: a suite that
/// tests no variant proves nothing.
pub fn variants() -> Vec<Kernels> {
    let found: Vec<Kernels> = Variant::ALL.into_iter().filter_map(|variant| Kernels::new(variant).ok()).collect();
    let names: Vec<&str> = found.iter().map(|kernels| kernels.variant().name()).collect();
    for (name, expected) in [("generic", true), ("lut", true)].into_iter().chain(simd()) {
        assert_eq!(names.contains(&name), expected, "{name} among {names:?}");
    }
    found
}

/// Names of SIMD variants, and whether this machine has their instructions according to the standard library.
#[cfg(target_arch = "x86_64")]
fn simd() -> impl Iterator<Item = (&'static str, bool)> {
    use std::is_x86_feature_detected as has;
    let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512vl");
    [
        ("simd128", false),
        ("ssse3", has!("ssse3")),
        ("avx2", has!("avx2")),
        ("avx_vnni", has!("avx2") && has!("avxvnni")),
        ("avx512_vnni", avx512 && has!("avx512vnni")),
    ]
    .into_iter()
}

#[cfg(target_arch = "aarch64")]
fn simd() -> impl Iterator<Item = (&'static str, bool)> {
    use std::arch::is_aarch64_feature_detected as has;
    let dotprod = has!("neon") && has!("dotprod");
    [("avx2", false), ("neon", has!("neon")), ("neon_dotprod", dotprod), ("neon_i8mm", dotprod && has!("i8mm"))]
        .into_iter()
}

#[cfg(target_arch = "riscv64")]
fn simd() -> impl Iterator<Item = (&'static str, bool)> {
    // SAFETY: a function of the C library that looks up a number: a bit for each single-letter extension.
    let extensions = unsafe { libc::getauxval(libc::AT_HWCAP) };
    [("avx2", false), ("rvv", extensions >> (b'v' - b'a') & 1 == 1)].into_iter()
}

#[cfg(target_arch = "wasm32")]
fn simd() -> impl Iterator<Item = (&'static str, bool)> {
    [("avx2", false), ("simd128", cfg!(feature = "simd128"))].into_iter()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "wasm32")))]
fn simd() -> impl Iterator<Item = (&'static str, bool)> {
    [("avx2", false), ("simd128", false)].into_iter()
}
