//! AVX-VNNI: `vpdpbusd` on half blocks, 16 rows per pass, because there are only 16 registers.

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use super::dpbusd::{Dpbusd, entry};
use crate::isa::AvxVnni;
use crate::vector::avx2::store_scaled;
use core::arch::x86_64::*;

/// Half a block: 8 rows × 16 columns. Only created with an [`AvxVnni`] token.
#[derive(Clone, Copy)]
struct Half(__m256i);

/// Calls an intrinsic that needs only AVX2 and AVX-VNNI.
macro_rules! vnni {
    ($body:expr) => {{
        // SAFETY: a `Half` or an `AvxVnni` exists, so the CPU has the instructions; the one load reads half of a
        // block, which is 64 bytes aligned to 64.
        unsafe { $body }
    }};
}

impl Dpbusd for Half {
    type Isa = AvxVnni;

    #[inline(always)]
    fn splat(_: AvxVnni, value: i32) -> Self {
        Half(vnni!(_mm256_set1_epi32(value)))
    }

    #[inline(always)]
    fn load(_: AvxVnni, block: &Block, part: usize) -> Self {
        let (halves, _) = block.0.as_chunks::<32>();
        Half(vnni!(_mm256_load_si256(halves[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn and(self, mask: Self) -> Self {
        Half(vnni!(_mm256_and_si256(self.0, mask.0)))
    }

    #[inline(always)]
    fn dot(self, codes: Self, activations: Self) -> Self {
        Half(vnni!(_mm256_dpbusd_avx_epi32(self.0, codes.0, activations.0)))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Half(vnni!(_mm256_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Half(vnni!(_mm256_sub_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self) -> Self {
        Half(vnni!(_mm256_sra_epi32(self.0, _mm_cvtsi32_si128(N as i32))))
    }

    #[inline(always)]
    fn scale_into(self, scale: f32, y: &mut [f32]) {
        // SAFETY: a `Half` exists, so the CPU has AVX2.
        unsafe { store_scaled(self.0, scale, y) }
    }
}

entry!(AvxVnni, Half, 2, 2, 2, "avx2,avxvnni");
