//! WebAssembly relaxed SIMD: the dot product of signed bytes and 7-bit bytes, 16 rows a pass.
//!
//! Engines may differ in what `i16x8.relaxed_dot_i8x16_i7x16` gives when a pair of products leaves 16 bits or the
//! second operand uses its eighth bit. Neither happens: the codes are at most 2, a pair at most 508. So the result
//! is the same on every engine.

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use super::maddubs::{self, Maddubs};
use crate::isa::RelaxedSimd;
use crate::vector::simd128::store_scaled;
use core::arch::wasm32::*;

/// A quarter of a block: 4 rows × 16 columns. Made only by a function that was given a [`RelaxedSimd`].
#[derive(Clone, Copy)]
struct Quarter(v128);

/// Runs an intrinsic that needs relaxed SIMD alone.
macro_rules! simd {
    ($body:expr) => {{
        // SAFETY: the one load reads a quarter of a block, which is 64 bytes. That the instructions exist was settled
        // when the module was accepted.
        #[allow(unused_unsafe, reason = "an intrinsic without a pointer is safe where SIMD is enabled for all")]
        unsafe {
            $body
        }
    }};
}

impl Maddubs for Quarter {
    type Isa = RelaxedSimd;

    #[inline(always)]
    fn splat(_: RelaxedSimd, value: i32) -> Self {
        Quarter(simd!(i32x4_splat(value)))
    }

    #[inline(always)]
    fn load(_: RelaxedSimd, block: &Block, part: usize) -> Self {
        let (quarters, _) = block.0.as_chunks::<16>();
        Quarter(simd!(v128_load(quarters[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn pairs(self) -> [Self; 2] {
        [Quarter(simd!(v128_and(self.0, u8x16_splat(0x03)))), Quarter(simd!(v128_and(self.0, u8x16_splat(0x0c))))]
    }

    #[inline(always)]
    fn upper(self) -> Self {
        Quarter(simd!(u16x8_shr(self.0, 4)))
    }

    #[inline(always)]
    fn maddubs(self, activations: Self) -> Self {
        Quarter(simd!(i16x8_relaxed_dot_i8x16_i7x16(activations.0, self.0)))
    }

    #[inline(always)]
    fn add16(self, other: Self) -> Self {
        Quarter(simd!(i16x8_add(self.0, other.0)))
    }

    #[inline(always)]
    fn add_widened(self, narrow: Self) -> Self {
        Quarter(simd!(i32x4_add(self.0, i32x4_extadd_pairwise_i16x8(narrow.0))))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Quarter(simd!(i32x4_add(self.0, other.0)))
    }

    #[inline(always)]
    fn quarter(self) -> Self {
        Quarter(simd!(i32x4_shr(self.0, 2)))
    }

    #[inline(always)]
    fn scale_into(self, scale: f32, y: &mut [f32]) {
        store_scaled(self.0, scale, y);
    }
}

pub(super) fn matmul(isa: RelaxedSimd, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    #[target_feature(enable = "simd128,relaxed-simd")]
    fn compiled(isa: RelaxedSimd, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
        maddubs::matmul::<Quarter, 4, 2>(isa, blocks, x, scale, y);
    }
    simd!(compiled(isa, blocks, x, scale, y))
}
