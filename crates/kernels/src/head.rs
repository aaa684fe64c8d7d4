//! The head: every row of the embedding times the final activations.
//!
//! INT8 rows meet 15-bit activations in exact i32 arithmetic; the rows are read once, in order, as the file has
//! them, because their bytes are most of what a token reads. f32 rows take the fixed 16-lane sum.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
pub(crate) mod generic;
#[cfg(target_arch = "wasm32")]
pub(crate) mod simd128;
