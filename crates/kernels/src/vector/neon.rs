//! Sixteen lanes as four NEON registers.

use super::constants::{LANES, ROUND_BITS};
use super::lanes::entries;
use super::wide::{Register, Wide};
use crate::isa::Neon;
use core::arch::aarch64::*;

/// Four lanes. Only created with a [`Neon`] token.
#[derive(Clone, Copy)]
pub(crate) struct Four(float32x4_t);

/// Calls an intrinsic that needs only NEON.
macro_rules! neon {
    ($body:expr) => {{
        // SAFETY: a `Four` or a `Neon` exists, or the caller guarantees it: the CPU has NEON; the pointers, if any,
        // come from references to as many bytes as are read or written, and need no alignment.
        #[allow(unused_unsafe, reason = "many targets have NEON enabled globally")]
        unsafe {
            $body
        }
    }};
}

impl Register for Four {
    type Isa = Neon;

    #[inline(always)]
    fn sqrt(_: Neon, value: f32) -> f32 {
        // The vector instruction, with one lane used.
        neon!(vget_lane_f32::<0>(vsqrt_f32(vdup_n_f32(value))))
    }

    #[inline(always)]
    fn splat(_: Neon, value: f32) -> Self {
        Four(neon!(vdupq_n_f32(value)))
    }

    #[inline(always)]
    fn load(_: Neon, from: &[f32]) -> Self {
        Four(neon!(vld1q_f32(from[..4].as_ptr())))
    }

    #[inline(always)]
    fn load_bytes(_: Neon, from: &[u8]) -> Self {
        // Lanes are little-endian, like the bytes.
        Four(neon!(vreinterpretq_f32_u8(vld1q_u8(from[..16].as_ptr()))))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        neon!(vst1q_f32(to[..4].as_mut_ptr(), self.0));
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Four(neon!(vaddq_f32(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Four(neon!(vsubq_f32(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Four(neon!(vmulq_f32(self.0, other.0)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Four(neon!(vdivq_f32(self.0, other.0)))
    }

    // Not FMAX and FMIN: they return NaN if either operand is, and order the zeros.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Four(neon!(vbslq_f32(vcgtq_f32(self.0, other.0), self.0, other.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Four(neon!(vbslq_f32(vcltq_f32(self.0, other.0), self.0, other.0)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Four(neon!(vabsq_f32(self.0)))
    }

    #[inline(always)]
    fn max_bits(self, other: Self) -> Self {
        neon!({
            let (a, b) = (vreinterpretq_s32_f32(self.0), vreinterpretq_s32_f32(other.0));
            Four(vreinterpretq_f32_s32(vmaxq_s32(a, b)))
        })
    }

    #[inline(always)]
    fn any_at_least(self, mark: Self) -> bool {
        neon!(vmaxvq_u32(vcgeq_f32(self.0, mark.0)) != 0)
    }

    #[inline(always)]
    fn select_not_negative(self, yes: Self, no: Self) -> Self {
        Four(neon!(vbslq_f32(vcgezq_f32(self.0), yes.0, no.0)))
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        const BITS: [u32; 4] = [1, 2, 4, 8];
        neon!({
            let not_below = vmvnq_u32(vcltq_f32(self.0, other.0));
            vaddvq_u32(vandq_u32(not_below, vld1q_u32(BITS.as_ptr()))) as u16
        })
    }

    #[inline(always)]
    fn scale_by_power(self, t: Self) -> Self {
        neon!({
            let bias = vdupq_n_s32(127);
            let n = vsubq_s32(vreinterpretq_s32_f32(t.0), vdupq_n_s32(ROUND_BITS));
            let h = vshrq_n_s32::<1>(n);
            let first = vshlq_n_s32::<23>(vaddq_s32(h, bias));
            let second = vshlq_n_s32::<23>(vaddq_s32(vsubq_s32(n, h), bias));
            Four(vmulq_f32(vmulq_f32(self.0, vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second)))
        })
    }

    #[inline(always)]
    fn round_to_i8(all: &[Self], to: &mut [i8; LANES]) {
        let [low, high] = round_to_words(all);
        neon!(vst1q_s8(to.as_mut_ptr(), vqmovn_high_s16(vqmovn_s16(low), high)));
    }

    #[inline(always)]
    fn round_to_i16(all: &[Self], to: &mut [i16; LANES]) {
        let [low, high] = round_to_words(all);
        let to = to.as_mut_ptr();
        neon!({
            vst1q_s16(to, low);
            vst1q_s16(to.add(8), high);
        });
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        neon!({
            let two = vadd_f32(vget_low_f32(self.0), vget_high_f32(self.0));
            vget_lane_f32::<0>(vpadd_f32(two, two))
        })
    }
}

/// Sixteen lanes as i16 in their order, ties to even.
#[inline(always)]
fn round_to_words(all: &[Four]) -> [int16x8_t; 2] {
    neon!([
        vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(all[0].0)), vcvtnq_s32_f32(all[1].0)),
        vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(all[2].0)), vcvtnq_s32_f32(all[3].0)),
    ])
}

/// Writes four i32, as f32 times `scale`, into `y`, which may be shorter.
///
/// # Safety
/// The CPU has NEON.
#[inline(always)]
pub(crate) unsafe fn store_scaled(sums: int32x4_t, scale: f32, y: &mut [f32]) {
    neon!({
        let scaled = vmulq_n_f32(vcvtq_f32_s32(sums), scale);
        if let Some(y) = y.first_chunk_mut::<4>() {
            vst1q_f32(y.as_mut_ptr(), scaled);
        } else {
            let mut last = [0.0f32; 4];
            vst1q_f32(last.as_mut_ptr(), scaled);
            y.copy_from_slice(&last[..y.len()]);
        }
    });
}

entries!(Neon, Wide<Four, 4>, "neon");
