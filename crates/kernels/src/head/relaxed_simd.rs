//! The head with WebAssembly's relaxed SIMD.
//!
//! All logits use `simd128`: the relaxed dot product needs one operand within 7 bits, and splitting the activations or
//! the rows that far costs more than it saves. The codes of the first stage are within 4 bits, so a pair of products is
//! at most `2 · 15 · 128`, no engine's sums saturate, and the result is the same on every engine.

use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::coarse_many;
pub(super) use super::simd128::{SHAPE, exact, float, int8, int8_many};
pub(super) use super::unbounded::many::{BOUNDS_MANY, bounds_many};
use crate::isa::RelaxedSimd;
use core::arch::wasm32::*;

/// A quarter of a block of codes: 4 rows × 8 columns. Only created with a [`RelaxedSimd`] token.
#[derive(Clone, Copy)]
struct Quarter(v128);

/// Calls an intrinsic that needs only relaxed SIMD.
macro_rules! simd {
    ($body:expr) => {{
        // SAFETY: the pointers come from references to as many bytes as are read or written. That the instructions
        // exist was settled when the module was accepted.
        #[allow(unused_unsafe, reason = "an intrinsic without a pointer is safe where SIMD is enabled globally")]
        unsafe {
            $body
        }
    }};
}

impl Coarse for Quarter {
    type Isa = RelaxedSimd;
    type Columns = [Self; 2];
    /// In 16 bits since the last widening, and in 32.
    type Sums = [Self; 2];
    const PER_BLOCK: usize = 4;

    #[inline(always)]
    fn no_sums(_: RelaxedSimd) -> [Self; 2] {
        [Quarter(simd!(i32x4_splat(0))); 2]
    }

    #[inline(always)]
    fn columns(_: RelaxedSimd, columns: &Columns) -> [Self; 2] {
        [Quarter(simd!(i32x4_splat(columns[0]))), Quarter(simd!(i32x4_splat(columns[1])))]
    }

    #[inline(always)]
    fn load_codes(_: RelaxedSimd, block: &Block, part: usize) -> Self {
        let (quarters, _) = block.0.as_chunks::<16>();
        Quarter(simd!(v128_load(quarters[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn add_dot(self, columns: [Self; 2], sums: [Self; 2]) -> [Self; 2] {
        let narrow = simd!({
            let mask = u8x16_splat(0x0f);
            let low = i16x8_relaxed_dot_i8x16_i7x16(columns[0].0, v128_and(self.0, mask));
            let high = i16x8_relaxed_dot_i8x16_i7x16(columns[1].0, v128_and(u16x8_shr(self.0, 4), mask));
            i16x8_add(sums[0].0, i16x8_add(low, high))
        });
        [Quarter(narrow), sums[1]]
    }

    #[inline(always)]
    fn widen(sums: [Self; 2]) -> [Self; 2] {
        simd!({
            let pairs = i32x4_extadd_pairwise_i16x8(sums[0].0);
            [Quarter(i32x4_splat(0)), Quarter(i32x4_add(sums[1].0, pairs))]
        })
    }

    #[inline(always)]
    fn finish(sums: [Self; 2], to: &mut [i32]) {
        let to = to.first_chunk_mut::<4>().expect("a vector of rows");
        simd!(v128_store(to.as_mut_ptr().cast(), sums[1].0));
    }
}

coarse::entry!(RelaxedSimd, Quarter, 8, 1, 4, 2, "simd128,relaxed-simd");
