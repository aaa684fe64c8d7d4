//! Sixteen lanes as four SSE registers.

use super::constants::{LANES, ROUND_BITS};
use super::lanes::entries;
use super::wide::{Register, Wide};
use crate::isa::Ssse3;
use core::arch::x86_64::*;

/// Four lanes. Only created with an [`Ssse3`] token.
#[derive(Clone, Copy)]
pub(crate) struct Four(__m128);

/// Calls an intrinsic that needs only SSSE3.
macro_rules! ssse3 {
    ($body:expr) => {{
        // SAFETY: a `Four` or an `Ssse3` exists, or the caller guarantees it: the CPU has SSSE3; the pointers, if any,
        // come from references to as many bytes as are read or written, and need no alignment.
        #[allow(unused_unsafe, reason = "every x86-64 CPU has the instructions that need no pointer")]
        unsafe {
            $body
        }
    }};
}

/// `mask ? yes : no`, lane by lane; a mask lane is all ones or all zeros.
#[inline(always)]
fn select(mask: __m128, yes: __m128, no: __m128) -> __m128 {
    ssse3!(_mm_or_ps(_mm_and_ps(mask, yes), _mm_andnot_ps(mask, no)))
}

impl Register for Four {
    type Isa = Ssse3;

    #[inline(always)]
    fn sqrt(_: Ssse3, value: f32) -> f32 {
        ssse3!(_mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(value))))
    }

    #[inline(always)]
    fn splat(_: Ssse3, value: f32) -> Self {
        Four(ssse3!(_mm_set1_ps(value)))
    }

    #[inline(always)]
    fn load(_: Ssse3, from: &[f32]) -> Self {
        Four(ssse3!(_mm_loadu_ps(from[..4].as_ptr())))
    }

    #[inline(always)]
    fn load_bytes(_: Ssse3, from: &[u8]) -> Self {
        Four(ssse3!(_mm_loadu_ps(from[..16].as_ptr().cast())))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        ssse3!(_mm_storeu_ps(to[..4].as_mut_ptr(), self.0));
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Four(ssse3!(_mm_add_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Four(ssse3!(_mm_sub_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Four(ssse3!(_mm_mul_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Four(ssse3!(_mm_div_ps(self.0, other.0)))
    }

    // The instructions return the second operand if either is NaN, as the definition's `a > b ? a : b`.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Four(ssse3!(_mm_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Four(ssse3!(_mm_min_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Four(ssse3!(_mm_andnot_ps(_mm_set1_ps(-0.0), self.0)))
    }

    #[inline(always)]
    fn max_bits(self, other: Self) -> Self {
        let larger = ssse3!(_mm_cmpgt_epi32(_mm_castps_si128(self.0), _mm_castps_si128(other.0)));
        Four(select(ssse3!(_mm_castsi128_ps(larger)), self.0, other.0))
    }

    #[inline(always)]
    fn any_at_least(self, mark: Self) -> bool {
        ssse3!(_mm_movemask_ps(_mm_cmpge_ps(self.0, mark.0)) != 0)
    }

    #[inline(always)]
    fn select_not_negative(self, yes: Self, no: Self) -> Self {
        Four(select(ssse3!(_mm_cmpge_ps(self.0, _mm_setzero_ps())), yes.0, no.0))
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        ssse3!(_mm_movemask_ps(_mm_cmpnlt_ps(self.0, other.0))) as u16
    }

    #[inline(always)]
    fn scale_by_power(self, t: Self) -> Self {
        ssse3!({
            let bias = _mm_set1_epi32(127);
            let n = _mm_sub_epi32(_mm_castps_si128(t.0), _mm_set1_epi32(ROUND_BITS));
            let h = _mm_srai_epi32::<1>(n);
            let first = _mm_slli_epi32::<23>(_mm_add_epi32(h, bias));
            let second = _mm_slli_epi32::<23>(_mm_add_epi32(_mm_sub_epi32(n, h), bias));
            Four(_mm_mul_ps(_mm_mul_ps(self.0, _mm_castsi128_ps(first)), _mm_castsi128_ps(second)))
        })
    }

    #[inline(always)]
    fn round_to_i8(all: &[Self], to: &mut [i8; LANES]) {
        let [low, high] = round_to_words(all);
        ssse3!(_mm_storeu_si128(to.as_mut_ptr().cast(), _mm_packs_epi16(low, high)));
    }

    #[inline(always)]
    fn round_to_i16(all: &[Self], to: &mut [i16; LANES]) {
        let [low, high] = round_to_words(all);
        let to = to.as_mut_ptr();
        ssse3!({
            _mm_storeu_si128(to.cast(), low);
            _mm_storeu_si128(to.add(8).cast(), high);
        });
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        ssse3!({
            let two = _mm_add_ps(self.0, _mm_movehl_ps(self.0, self.0));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        })
    }
}

/// Sixteen lanes as i16 in their order.
#[inline(always)]
fn round_to_words(all: &[Four]) -> [__m128i; 2] {
    ssse3!([
        _mm_packs_epi32(_mm_cvtps_epi32(all[0].0), _mm_cvtps_epi32(all[1].0)),
        _mm_packs_epi32(_mm_cvtps_epi32(all[2].0), _mm_cvtps_epi32(all[3].0)),
    ])
}

/// Writes four i32, as f32 times `scale`, into `y`, which may be shorter.
///
/// # Safety
/// The CPU has SSSE3.
#[inline(always)]
pub(crate) unsafe fn store_scaled(sums: __m128i, scale: f32, y: &mut [f32]) {
    ssse3!({
        let scaled = _mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_set1_ps(scale));
        if let Some(y) = y.first_chunk_mut::<4>() {
            _mm_storeu_ps(y.as_mut_ptr(), scaled);
        } else {
            let mut last = [0.0f32; 4];
            _mm_storeu_ps(last.as_mut_ptr(), scaled);
            y.copy_from_slice(&last[..y.len()]);
        }
    });
}

entries!(Ssse3, Wide<Four, 4>, "ssse3");
