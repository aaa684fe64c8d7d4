//! AVX-512 with VNNI: `vpdpbusd` on whole blocks, 64 rows per pass.

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use super::dpbusd::{Dpbusd, entry};
use crate::isa::Avx512Vnni;
use core::arch::x86_64::*;

/// A block: 16 rows × 16 columns. Only created with an [`Avx512Vnni`] token.
#[derive(Clone, Copy)]
struct Whole(__m512i);

/// Calls an intrinsic that needs only AVX-512 with VNNI.
macro_rules! avx512 {
    ($body:expr) => {{
        // SAFETY: a `Whole` or an `Avx512Vnni` exists, so the CPU has the instructions; the one load reads a
        // block, which is 64 bytes aligned to 64, and the store is masked to the values of `y`.
        unsafe { $body }
    }};
}

impl Dpbusd for Whole {
    type Isa = Avx512Vnni;

    #[inline(always)]
    fn splat(_: Avx512Vnni, value: i32) -> Self {
        Whole(avx512!(_mm512_set1_epi32(value)))
    }

    #[inline(always)]
    fn load(_: Avx512Vnni, block: &Block, _: usize) -> Self {
        Whole(avx512!(_mm512_load_si512(block.0.as_ptr().cast())))
    }

    #[inline(always)]
    fn and(self, mask: Self) -> Self {
        Whole(avx512!(_mm512_and_si512(self.0, mask.0)))
    }

    #[inline(always)]
    fn dot(self, codes: Self, activations: Self) -> Self {
        Whole(avx512!(_mm512_dpbusd_epi32(self.0, codes.0, activations.0)))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Whole(avx512!(_mm512_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Whole(avx512!(_mm512_sub_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self) -> Self {
        Whole(avx512!(_mm512_srai_epi32::<N>(self.0)))
    }

    #[inline(always)]
    fn scale_into(self, scale: f32, y: &mut [f32]) {
        avx512!({
            let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(self.0), _mm512_set1_ps(scale));
            // A following load is forwarded from a full store before it reaches the cache, but not from a masked one.
            if let Some(y) = y.first_chunk_mut::<16>() {
                _mm512_storeu_ps(y.as_mut_ptr(), scaled);
            } else {
                _mm512_mask_storeu_ps(y.as_mut_ptr(), (1u16 << y.len()) - 1, scaled);
            }
        });
    }
}

entry!(Avx512Vnni, Whole, 1, 4, 6, "avx512f,avx512bw,avx512vl,avx512vnni,avx2");
