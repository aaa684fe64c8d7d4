//! The head: every row of the embedding times the final activations.
//!
//! INT8 rows meet 15-bit activations in exact i32 arithmetic; the rows are read once, in order, as the file has
//! them, because their bytes are most of what a token reads. `madd` widens rows and activations to 16 bits;
//! `dpbusd` keeps the rows as bytes and splits the activations in two digits. f32 rows take the fixed 16-lane sum.
//!
//! Where only the largest logits are asked for, `coarse` bounds every row's from half of its bytes, and `int8` computes
//! those that the bounds leave in the running. Where many sessions are decoded together, `many` passes over the rows once
//! for all of them, in a layout of their own (`rows`).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx_vnni;
#[cfg_attr(
    not(any(target_arch = "x86_64", feature = "relaxed_simd")),
    allow(dead_code, unused_imports, unused_macros, reason = "its layout is plain Rust, what reads it is not")
)]
mod coarse;
#[cfg(target_arch = "x86_64")]
mod dpbusd;
#[cfg(target_arch = "x86_64")]
mod first_digit;
pub(crate) mod generic;
mod int8;
#[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
mod madd;
#[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
mod many;
#[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
pub(crate) mod relaxed_simd;
#[cfg(target_arch = "wasm32")]
pub(crate) mod simd128;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ssse3;

mod rows;
mod search;

pub use int8::{Divide, HeadPath, Int8Head, WhyFull};
pub use rows::HeadRows;

/// The rows, `d` wide, of up to four tokens; the first of them stands in for those that are missing.
#[cfg(any(target_arch = "x86_64", feature = "relaxed_simd"))]
#[inline(always)]
fn rows4<'r>(rows: &'r [i8], tokens: &[u32], d: usize) -> [&'r [i8]; 4] {
    let mut four = [&rows[tokens[0] as usize * d..][..d]; 4];
    for (row, &token) in four.iter_mut().zip(tokens) {
        *row = &rows[token as usize * d..][..d];
    }
    four
}

/// Asks for bytes that will be read soon, where the instruction set has a way to.
#[inline(always)]
fn fetch(bytes: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, of a byte that is there; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}
