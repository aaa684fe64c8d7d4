//! The head with AVX-VNNI.

use super::avx2;
use super::dpbusd::{self, Dpbusd};
use crate::isa::AvxVnni;
use core::arch::x86_64::*;

pub(crate) use crate::vector::avx_vnni::dot_rows as float;

/// Made only by a function that was given an [`AvxVnni`].
#[derive(Clone, Copy)]
struct Half(__m256i);

/// Runs an intrinsic that needs AVX2 and AVX-VNNI alone.
macro_rules! vnni {
    ($body:expr) => {{
        // SAFETY: a `Half` or an `AvxVnni` is at hand, so the CPU has the instructions; the pointers come from
        // references to as many bytes as are read.
        unsafe { $body }
    }};
}

impl Dpbusd<32> for Half {
    type Isa = AvxVnni;

    #[inline(always)]
    fn zero(_: AvxVnni) -> Self {
        Half(vnni!(_mm256_setzero_si256()))
    }

    #[inline(always)]
    fn load_unsigned(isa: AvxVnni, e: &[i8; 32]) -> Self {
        Half(vnni!(_mm256_xor_si256(Self::load(isa, e).0, _mm256_set1_epi8(i8::MIN))))
    }

    #[inline(always)]
    fn load(_: AvxVnni, digits: &[i8; 32]) -> Self {
        Half(vnni!(_mm256_loadu_si256(digits.as_ptr().cast())))
    }

    #[inline(always)]
    fn dot(self, e: Self, digits: Self) -> Self {
        Half(vnni!(_mm256_dpbusd_avx_epi32(self.0, e.0, digits.0)))
    }

    #[inline(always)]
    fn join(self, low: Self) -> Self {
        Half(vnni!(_mm256_add_epi32(_mm256_slli_epi32::<7>(self.0), low.0)))
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [a, b, c, d] = rows;
        vnni!(avx2::sum4([a.0, b.0, c.0, d.0]))
    }
}

pub(crate) fn int8(isa: AvxVnni, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    #[target_feature(enable = "avx2,avxvnni")]
    fn compiled(isa: AvxVnni, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        dpbusd::int8::<32, Half>(isa, rows, row_scales, q, scale, logits);
    }
    vnni!(compiled(isa, rows, row_scales, q, scale, logits))
}
