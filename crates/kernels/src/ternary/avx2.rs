//! AVX2: `maddubs`, 32 rows per pass.

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use super::maddubs::{self, Maddubs};
use crate::isa::Avx2;
use crate::vector::avx2::store_scaled;
use core::arch::x86_64::*;

/// Half a block: 8 rows × 16 columns. Only created with an [`Avx2`] token.
#[derive(Clone, Copy)]
struct Half(__m256i);

/// Calls an intrinsic that needs only AVX2.
macro_rules! avx2 {
    ($body:expr) => {{
        // SAFETY: a `Half` or an `Avx2` exists, so the CPU has AVX2; the one load reads half of a block, which
        // is 64 bytes aligned to 64.
        unsafe { $body }
    }};
}

impl Maddubs for Half {
    type Isa = Avx2;

    #[inline(always)]
    fn splat(_: Avx2, value: i32) -> Self {
        Half(avx2!(_mm256_set1_epi32(value)))
    }

    #[inline(always)]
    fn load(_: Avx2, block: &Block, part: usize) -> Self {
        let (halves, _) = block.0.as_chunks::<32>();
        Half(avx2!(_mm256_load_si256(halves[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn pairs(self) -> [Self; 2] {
        avx2!({
            let [first, second] = [_mm256_set1_epi8(0x03), _mm256_set1_epi8(0x0c)];
            [Half(_mm256_and_si256(self.0, first)), Half(_mm256_and_si256(self.0, second))]
        })
    }

    #[inline(always)]
    fn upper(self) -> Self {
        Half(avx2!(_mm256_srli_epi16::<4>(self.0)))
    }

    #[inline(always)]
    fn maddubs(self, activations: Self) -> Self {
        Half(avx2!(_mm256_maddubs_epi16(self.0, activations.0)))
    }

    #[inline(always)]
    fn add16(self, other: Self) -> Self {
        Half(avx2!(_mm256_add_epi16(self.0, other.0)))
    }

    #[inline(always)]
    fn add_widened(self, narrow: Self) -> Self {
        Half(avx2!(_mm256_add_epi32(self.0, _mm256_madd_epi16(narrow.0, _mm256_set1_epi16(1)))))
    }

    #[inline(always)]
    fn quarter(self) -> Self {
        Half(avx2!(_mm256_srai_epi32::<2>(self.0)))
    }

    #[inline(always)]
    fn scale_into(self, scale: f32, y: &mut [f32]) {
        // SAFETY: a `Half` exists, so the CPU has AVX2.
        unsafe { store_scaled(self.0, scale, y) }
    }
}

pub(super) fn matmul(isa: Avx2, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(isa: Avx2, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
        maddubs::matmul::<Half, 2, 2>(isa, blocks, x, scale, y);
    }
    avx2!(compiled(isa, blocks, x, scale, y))
}
