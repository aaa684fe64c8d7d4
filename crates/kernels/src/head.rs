//! The head: every row of the embedding times the final activations.
//!
//! INT8 rows meet 15-bit activations in exact i32 arithmetic; the rows are read once, in order, as the file has
//! them, because their bytes are most of what a token reads. `madd` widens rows and activations to 16 bits;
//! `dpbusd` keeps the rows as bytes and splits the activations in two digits. f32 rows take the fixed 16-lane sum.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx_vnni;
#[cfg(target_arch = "x86_64")]
mod dpbusd;
pub(crate) mod generic;
#[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
mod madd;
#[cfg(target_arch = "wasm32")]
pub(crate) mod simd128;
// A relaxed dot product wants one side within 7 bits; splitting the activations that far costs more than it gains.
#[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
pub(crate) use simd128 as relaxed_simd;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ssse3;
