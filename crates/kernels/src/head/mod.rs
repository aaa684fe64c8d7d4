//! The head: every row of the embedding times the final activations.
//!
//! INT8 rows are multiplied with 15-bit activations in exact i32 arithmetic; the rows are read once, in file order,
//! because their bytes are most of the memory traffic of a token. `madd` widens rows and activations to 16 bits;
//! `dpbusd` keeps the rows as bytes and splits the activations into two digits. f32 rows take the fixed 16-lane sum.
//!
//! If only the largest logits are requested, `coarse` bounds every row's logit from half of its bytes, and `int8`
//! computes the rows that remain candidates. If many sessions are decoded together, `many` passes over the rows once
//! for all of them, in a layout of its own (`rows`).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx_vnni;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", feature = "relaxed_simd")),
    allow(dead_code, unused_imports, unused_macros, reason = "the layout is plain Rust, its readers are not")
)]
mod coarse;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", feature = "relaxed_simd")),
    allow(dead_code, reason = "plain Rust has no bounds")
)]
mod coarse_many;
mod dispatch;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod dpbusd;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod first_digit;
pub(crate) mod generic;
mod int8;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128"))]
mod madd;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128"))]
mod many;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon_dotprod;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon_i8mm;
mod order;
mod outcome;
#[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
pub(crate) mod relaxed_simd;
mod rows;
#[cfg(target_arch = "riscv64")]
pub(crate) mod rvv;
mod search;
mod shape;
#[cfg(all(target_arch = "wasm32", feature = "simd128"))]
pub(crate) mod simd128;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ssse3;
#[cfg(test)]
mod tests;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
mod unbounded;

use crate::kernels::{Kernels, same_length};

pub use int8::{Divide, Int8Head};
pub use order::ReadOrder;
pub use outcome::{HeadPath, WhyFull};
pub use rows::HeadRows;

impl Kernels {
    /// `logits = (rows · q) · (row_scales · scale)`: `rows` is V × D, `q` has D 15-bit values, D at most
    /// [`MAX_N_EMBD`](crate::MAX_N_EMBD).
    #[inline]
    pub fn head_int8(&self, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        assert!(q.len() <= crate::MAX_N_EMBD, "the sums of a head this wide do not fit i32");
        same_length(logits.len(), &[row_scales.len()]);
        same_length(logits.len() * q.len(), &[rows.len()]);
        dispatch::int8(self.isa, rows, row_scales, q, scale, logits);
    }

    /// `logits = rows · z`: `rows` is V × D little-endian f32 at any alignment, `z` has D values.
    #[inline]
    pub fn head_f32(&self, rows: &[u8], z: &[f32], logits: &mut [f32]) {
        same_length(logits.len() * z.len() * 4, &[rows.len()]);
        dispatch::float(self.isa, rows, z, logits);
    }
}
