//! SSSE3: `maddubs`, 16 rows per pass.

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use super::maddubs::{self, Maddubs};
use crate::isa::Ssse3;
use crate::vector::ssse3::store_scaled;
use core::arch::x86_64::*;

/// A quarter of a block: 4 rows × 16 columns. Only created with an [`Ssse3`] token.
#[derive(Clone, Copy)]
struct Quarter(__m128i);

/// Calls an intrinsic that needs only SSSE3.
macro_rules! ssse3 {
    ($body:expr) => {{
        // SAFETY: a `Quarter` or an `Ssse3` exists, so the CPU has SSSE3; the one load reads a quarter of a block, which
        // is 64 bytes aligned to 64.
        unsafe { $body }
    }};
}

impl Maddubs for Quarter {
    type Isa = Ssse3;

    #[inline(always)]
    fn splat(_: Ssse3, value: i32) -> Self {
        Quarter(ssse3!(_mm_set1_epi32(value)))
    }

    #[inline(always)]
    fn load(_: Ssse3, block: &Block, part: usize) -> Self {
        let (quarters, _) = block.0.as_chunks::<16>();
        Quarter(ssse3!(_mm_load_si128(quarters[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn pairs(self) -> [Self; 2] {
        ssse3!({
            let [first, second] = [_mm_set1_epi8(0x03), _mm_set1_epi8(0x0c)];
            [Quarter(_mm_and_si128(self.0, first)), Quarter(_mm_and_si128(self.0, second))]
        })
    }

    #[inline(always)]
    fn upper(self) -> Self {
        Quarter(ssse3!(_mm_srli_epi16::<4>(self.0)))
    }

    #[inline(always)]
    fn maddubs(self, activations: Self) -> Self {
        Quarter(ssse3!(_mm_maddubs_epi16(self.0, activations.0)))
    }

    #[inline(always)]
    fn add16(self, other: Self) -> Self {
        Quarter(ssse3!(_mm_add_epi16(self.0, other.0)))
    }

    #[inline(always)]
    fn add_widened(self, narrow: Self) -> Self {
        Quarter(ssse3!(_mm_add_epi32(self.0, _mm_madd_epi16(narrow.0, _mm_set1_epi16(1)))))
    }

    #[inline(always)]
    fn quarter(self) -> Self {
        Quarter(ssse3!(_mm_srai_epi32::<2>(self.0)))
    }

    #[inline(always)]
    fn scale_into(self, scale: f32, y: &mut [f32]) {
        // SAFETY: a `Quarter` exists, so the CPU has SSSE3.
        unsafe { store_scaled(self.0, scale, y) }
    }
}

pub(super) fn matmul(isa: Ssse3, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    #[target_feature(enable = "ssse3")]
    fn compiled(isa: Ssse3, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
        maddubs::matmul::<Quarter, 4, 2>(isa, blocks, x, scale, y);
    }
    ssse3!(compiled(isa, blocks, x, scale, y))
}
