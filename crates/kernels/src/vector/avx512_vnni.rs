//! Sixteen lanes as one AVX-512 register.

use super::constants::{LANES, ROUND_BITS};
use super::lanes::entries;
use super::wide::{Register, Wide};
use crate::isa::Avx512Vnni;
use core::arch::x86_64::*;

/// Sixteen lanes. Only created with an [`Avx512Vnni`] token.
#[derive(Clone, Copy)]
pub(crate) struct Sixteen(__m512);

/// Calls an intrinsic that needs only AVX-512.
macro_rules! avx512 {
    ($body:expr) => {{
        // SAFETY: a `Sixteen` or an `Avx512Vnni` exists, so the CPU has AVX-512 F, BW and VL; the pointers, if any,
        // come from references to as many bytes as are read or written, and need no alignment.
        unsafe { $body }
    }};
}

impl Register for Sixteen {
    type Isa = Avx512Vnni;

    #[inline(always)]
    fn sqrt(_: Avx512Vnni, value: f32) -> f32 {
        avx512!(_mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(value))))
    }

    #[inline(always)]
    fn splat(_: Avx512Vnni, value: f32) -> Self {
        Sixteen(avx512!(_mm512_set1_ps(value)))
    }

    #[inline(always)]
    fn load(_: Avx512Vnni, from: &[f32]) -> Self {
        Sixteen(avx512!(_mm512_loadu_ps(from[..16].as_ptr())))
    }

    #[inline(always)]
    fn load_bytes(_: Avx512Vnni, from: &[u8]) -> Self {
        Sixteen(avx512!(_mm512_loadu_ps(from[..64].as_ptr().cast())))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        avx512!(_mm512_storeu_ps(to[..16].as_mut_ptr(), self.0));
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Sixteen(avx512!(_mm512_add_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Sixteen(avx512!(_mm512_sub_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Sixteen(avx512!(_mm512_mul_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Sixteen(avx512!(_mm512_div_ps(self.0, other.0)))
    }

    // The instructions return the second operand if either is NaN, as the definition's `a > b ? a : b`.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Sixteen(avx512!(_mm512_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Sixteen(avx512!(_mm512_min_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Sixteen(avx512!(_mm512_abs_ps(self.0)))
    }

    #[inline(always)]
    fn max_bits(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Sixteen(avx512!(_mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)))))
    }

    #[inline(always)]
    fn any_at_least(self, mark: Self) -> bool {
        avx512!(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(self.0, mark.0) != 0)
    }

    #[inline(always)]
    fn select_not_negative(self, yes: Self, no: Self) -> Self {
        avx512!({
            let mask = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(self.0, _mm512_setzero_ps());
            Sixteen(_mm512_mask_blend_ps(mask, no.0, yes.0))
        })
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        avx512!(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(self.0, other.0))
    }

    #[inline(always)]
    fn scale_by_power(self, t: Self) -> Self {
        avx512!({
            let bias = _mm512_set1_epi32(127);
            let n = _mm512_sub_epi32(_mm512_castps_si512(t.0), _mm512_set1_epi32(ROUND_BITS));
            let h = _mm512_srai_epi32::<1>(n);
            let first = _mm512_slli_epi32::<23>(_mm512_add_epi32(h, bias));
            let second = _mm512_slli_epi32::<23>(_mm512_add_epi32(_mm512_sub_epi32(n, h), bias));
            let scaled = _mm512_mul_ps(self.0, _mm512_castsi512_ps(first));
            Sixteen(_mm512_mul_ps(scaled, _mm512_castsi512_ps(second)))
        })
    }

    #[inline(always)]
    fn round_to_i8(all: &[Self], to: &mut [i8; LANES]) {
        avx512!(_mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(all[0].0))));
    }

    #[inline(always)]
    fn round_to_i16(all: &[Self], to: &mut [i16; LANES]) {
        avx512!(_mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(all[0].0))));
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        avx512!({
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
            let eight = _mm256_add_ps(_mm512_castps512_ps256(self.0), high);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        })
    }
}

entries!(Avx512Vnni, Wide<Sixteen, 1>, "avx2,avx512f,avx512bw,avx512vl");
