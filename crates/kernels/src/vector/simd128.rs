//! Sixteen lanes as four WebAssembly vectors.

use super::constants::{LANES, ROUND_BITS};
use super::lanes::entries;
use super::wide::{Register, Wide};
use crate::isa::Simd128;
use core::arch::wasm32::*;

/// Four lanes. Only created with a [`Simd128`] token.
#[derive(Clone, Copy)]
pub(crate) struct Four(v128);

/// Calls an intrinsic that needs only SIMD.
macro_rules! simd {
    ($body:expr) => {{
        // SAFETY: the pointers, where there are any, come from references to as many bytes as are read or written,
        // and need no alignment. That the instructions exist was settled when the module was accepted.
        #[allow(unused_unsafe, reason = "an intrinsic without a pointer is safe where SIMD is enabled globally")]
        unsafe {
            $body
        }
    }};
}

impl Register for Four {
    type Isa = Simd128;

    #[inline(always)]
    fn sqrt(_: Simd128, value: f32) -> f32 {
        // The target's own instruction.
        libm::sqrtf(value)
    }

    #[inline(always)]
    fn splat(_: Simd128, value: f32) -> Self {
        Four(simd!(f32x4_splat(value)))
    }

    #[inline(always)]
    fn load(_: Simd128, from: &[f32]) -> Self {
        Four(simd!(v128_load(from[..4].as_ptr().cast())))
    }

    #[inline(always)]
    fn load_bytes(_: Simd128, from: &[u8]) -> Self {
        Four(simd!(v128_load(from[..16].as_ptr().cast())))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        simd!(v128_store(to[..4].as_mut_ptr().cast(), self.0));
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Four(simd!(f32x4_add(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Four(simd!(f32x4_sub(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Four(simd!(f32x4_mul(self.0, other.0)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Four(simd!(f32x4_div(self.0, other.0)))
    }

    // Not `pmax` and `pmin`: if relaxed SIMD is enabled in any function of a module, the compiler turns them into
    // relaxed ones, whose result for a NaN is implementation-defined.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Four(simd!(v128_bitselect(self.0, other.0, f32x4_gt(self.0, other.0))))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Four(simd!(v128_bitselect(self.0, other.0, f32x4_lt(self.0, other.0))))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Four(simd!(f32x4_abs(self.0)))
    }

    #[inline(always)]
    fn max_bits(self, other: Self) -> Self {
        Four(simd!(i32x4_max(self.0, other.0)))
    }

    #[inline(always)]
    fn any_at_least(self, mark: Self) -> bool {
        simd!(v128_any_true(f32x4_ge(self.0, mark.0)))
    }

    #[inline(always)]
    fn select_not_negative(self, yes: Self, no: Self) -> Self {
        Four(simd!(v128_bitselect(yes.0, no.0, f32x4_ge(self.0, f32x4_splat(0.0)))))
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        u16::from(simd!(i32x4_bitmask(v128_not(f32x4_lt(self.0, other.0)))))
    }

    #[inline(always)]
    fn scale_by_power(self, t: Self) -> Self {
        simd!({
            let bias = i32x4_splat(127);
            let n = i32x4_sub(t.0, i32x4_splat(ROUND_BITS));
            let h = i32x4_shr(n, 1);
            let first = i32x4_shl(i32x4_add(h, bias), 23);
            let second = i32x4_shl(i32x4_add(i32x4_sub(n, h), bias), 23);
            Four(f32x4_mul(f32x4_mul(self.0, first), second))
        })
    }

    #[inline(always)]
    fn round_to_i8(all: &[Self], to: &mut [i8; LANES]) {
        let [low, high] = round_to_words(all);
        simd!(v128_store(to.as_mut_ptr().cast(), i8x16_narrow_i16x8(low, high)));
    }

    #[inline(always)]
    fn round_to_i16(all: &[Self], to: &mut [i16; LANES]) {
        let [low, high] = round_to_words(all);
        let to = to.as_mut_ptr();
        simd!({
            v128_store(to.cast(), low);
            v128_store(to.add(8).cast(), high);
        });
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        simd!({
            let two = f32x4_add(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
            f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
        })
    }
}

/// The nearest integer to each lane, ties to even.
#[inline(always)]
fn round(four: Four) -> v128 {
    simd!(i32x4_trunc_sat_f32x4(f32x4_nearest(four.0)))
}

/// Sixteen lanes as i16 in their order.
#[inline(always)]
fn round_to_words(all: &[Four]) -> [v128; 2] {
    simd!([i16x8_narrow_i32x4(round(all[0]), round(all[1])), i16x8_narrow_i32x4(round(all[2]), round(all[3])),])
}

/// Writes four i32, as f32 times `scale`, into `y`, which may be shorter.
#[inline(always)]
pub(crate) fn store_scaled(sums: v128, scale: f32, y: &mut [f32]) {
    simd!({
        let scaled = f32x4_mul(f32x4_convert_i32x4(sums), f32x4_splat(scale));
        if let Some(y) = y.first_chunk_mut::<4>() {
            v128_store(y.as_mut_ptr().cast(), scaled);
        } else {
            let mut last = [0.0f32; 4];
            v128_store(last.as_mut_ptr().cast(), scaled);
            y.copy_from_slice(&last[..y.len()]);
        }
    });
}

entries!(Simd128, Wide<Four, 4>, "simd128");
