//! Sixteen lanes as two AVX2 registers.

use super::constants::{LANES, ROUND_BITS};
use super::lanes::entries;
use super::wide::{Register, Wide};
use crate::isa::Avx2;
use core::arch::x86_64::*;

/// Eight lanes. Only created with an [`Avx2`] token.
#[derive(Clone, Copy)]
pub(crate) struct Eight(__m256);

/// Calls an intrinsic that needs only AVX2.
macro_rules! avx2 {
    ($body:expr) => {{
        // SAFETY: an `Eight` or an `Avx2` exists, or the caller guarantees it: the CPU has AVX2; the pointers, if any,
        // come from references to as many bytes as are read or written, and need no alignment.
        unsafe { $body }
    }};
}

impl Register for Eight {
    type Isa = Avx2;

    #[inline(always)]
    fn sqrt(_: Avx2, value: f32) -> f32 {
        avx2!(_mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(value))))
    }

    #[inline(always)]
    fn splat(_: Avx2, value: f32) -> Self {
        Eight(avx2!(_mm256_set1_ps(value)))
    }

    #[inline(always)]
    fn load(_: Avx2, from: &[f32]) -> Self {
        Eight(avx2!(_mm256_loadu_ps(from[..8].as_ptr())))
    }

    #[inline(always)]
    fn load_bytes(_: Avx2, from: &[u8]) -> Self {
        Eight(avx2!(_mm256_loadu_ps(from[..32].as_ptr().cast())))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        avx2!(_mm256_storeu_ps(to[..8].as_mut_ptr(), self.0));
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Eight(avx2!(_mm256_add_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Eight(avx2!(_mm256_sub_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Eight(avx2!(_mm256_mul_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Eight(avx2!(_mm256_div_ps(self.0, other.0)))
    }

    // The instructions return the second operand if either is NaN, as the definition's `a > b ? a : b`.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Eight(avx2!(_mm256_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Eight(avx2!(_mm256_min_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Eight(avx2!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)))
    }

    #[inline(always)]
    fn max_bits(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Eight(avx2!(_mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)))))
    }

    #[inline(always)]
    fn any_at_least(self, mark: Self) -> bool {
        avx2!(_mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(self.0, mark.0)) != 0)
    }

    #[inline(always)]
    fn select_not_negative(self, yes: Self, no: Self) -> Self {
        avx2!({
            let mask = _mm256_cmp_ps::<_CMP_GE_OQ>(self.0, _mm256_setzero_ps());
            Eight(_mm256_blendv_ps(no.0, yes.0, mask))
        })
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        avx2!(_mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(self.0, other.0))) as u16
    }

    #[inline(always)]
    fn scale_by_power(self, t: Self) -> Self {
        avx2!({
            let bias = _mm256_set1_epi32(127);
            let n = _mm256_sub_epi32(_mm256_castps_si256(t.0), _mm256_set1_epi32(ROUND_BITS));
            let h = _mm256_srai_epi32::<1>(n);
            let first = _mm256_slli_epi32::<23>(_mm256_add_epi32(h, bias));
            let second = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_sub_epi32(n, h), bias));
            let scaled = _mm256_mul_ps(self.0, _mm256_castsi256_ps(first));
            Eight(_mm256_mul_ps(scaled, _mm256_castsi256_ps(second)))
        })
    }

    #[inline(always)]
    fn round_to_i8(all: &[Self], to: &mut [i8; LANES]) {
        avx2!({
            let words = round_to_words(all);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        });
    }

    #[inline(always)]
    fn round_to_i16(all: &[Self], to: &mut [i16; LANES]) {
        avx2!(_mm256_storeu_si256(to.as_mut_ptr().cast(), round_to_words(all)));
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        avx2!({
            let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        })
    }
}

/// Sixteen lanes as i16 in order: the instruction packs within halves of a register, so they are permuted back.
#[inline(always)]
fn round_to_words(all: &[Eight]) -> __m256i {
    avx2!({
        let words = _mm256_packs_epi32(_mm256_cvtps_epi32(all[0].0), _mm256_cvtps_epi32(all[1].0));
        _mm256_permute4x64_epi64::<0b11_01_10_00>(words)
    })
}

/// Writes eight i32, as f32 times `scale`, into `y`, which may be shorter.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
pub(crate) unsafe fn store_scaled(sums: __m256i, scale: f32, y: &mut [f32]) {
    avx2!({
        let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale));
        if let Some(y) = y.first_chunk_mut::<8>() {
            _mm256_storeu_ps(y.as_mut_ptr(), scaled);
        } else {
            let mut last = [0.0f32; 8];
            _mm256_storeu_ps(last.as_mut_ptr(), scaled);
            y.copy_from_slice(&last[..y.len()]);
        }
    });
}

entries!(Avx2, Wide<Eight, 2>, "avx2");
