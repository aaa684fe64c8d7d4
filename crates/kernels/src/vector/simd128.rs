//! Sixteen lanes as four WebAssembly vectors.

use super::lanes::{self, Lanes};
use super::{LANES, ROUND_BITS};
use crate::WkvInput;
use crate::isa::Simd128;
use core::arch::wasm32::*;

/// Lanes 0-3, 4-7, 8-11 and 12-15. A value is made only by a function that was given a [`Simd128`].
#[derive(Clone, Copy)]
pub(crate) struct Simd128Lanes([v128; 4]);

/// Runs an intrinsic that needs SIMD alone.
macro_rules! simd {
    ($body:expr) => {{
        // SAFETY: the pointers, where there are any, come from references to as many bytes as are read or written,
        // and no alignment is asked of them. That the instructions exist was settled when the module was accepted.
        #[allow(unused_unsafe, reason = "an intrinsic without a pointer is safe where SIMD is enabled for all")]
        unsafe {
            $body
        }
    }};
}

impl Simd128Lanes {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(v128, v128) -> v128) -> Self {
        let (a, b) = (self.0, other.0);
        Simd128Lanes([f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])])
    }

    /// The nearest integers as i16, lanes in order.
    #[inline(always)]
    fn round(self) -> [v128; 2] {
        let i32s = self.0.map(|a| simd!(i32x4_trunc_sat_f32x4(f32x4_nearest(a))));
        simd!([i16x8_narrow_i32x4(i32s[0], i32s[1]), i16x8_narrow_i32x4(i32s[2], i32s[3])])
    }
}

impl Lanes for Simd128Lanes {
    type Isa = Simd128;

    #[inline(always)]
    fn splat(_: Simd128, value: f32) -> Self {
        Simd128Lanes([simd!(f32x4_splat(value)); 4])
    }

    #[inline(always)]
    fn load(_: Simd128, from: &[f32; LANES]) -> Self {
        let from = from.as_ptr().cast::<v128>();
        Simd128Lanes(simd!([0, 1, 2, 3].map(|i| v128_load(from.add(i)))))
    }

    #[inline(always)]
    fn load_bytes(_: Simd128, from: &[u8; 4 * LANES]) -> Self {
        let from = from.as_ptr().cast::<v128>();
        Simd128Lanes(simd!([0, 1, 2, 3].map(|i| v128_load(from.add(i)))))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        let to = to.as_mut_ptr().cast::<v128>();
        simd!(for (i, part) in self.0.into_iter().enumerate() {
            v128_store(to.add(i), part);
        });
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(f32x4_add(a, b)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(f32x4_sub(a, b)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(f32x4_mul(a, b)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(f32x4_div(a, b)))
    }

    // `pmax(x, y)` is `x < y ? y : x`, so with its operands swapped it is the definition's `a > b ? a : b`.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(f32x4_pmax(b, a)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(f32x4_pmin(b, a)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Simd128Lanes(self.0.map(|a| simd!(f32x4_abs(a))))
    }

    #[inline(always)]
    fn max_magnitude(self, other: Self) -> Self {
        self.abs().zip(other.abs(), |a, b| simd!(i32x4_max(a, b)))
    }

    #[inline(always)]
    fn select_not_negative(self, yes: Self, no: Self) -> Self {
        let mask = self.zip(self, |a, _| simd!(f32x4_ge(a, f32x4_splat(0.0))));
        let select = |i: usize| simd!(v128_bitselect(yes.0[i], no.0[i], mask.0[i]));
        Simd128Lanes([select(0), select(1), select(2), select(3)])
    }

    #[inline(always)]
    fn scale_by_power(self, t: Self) -> Self {
        self.zip(t, |y, t| {
            simd!({
                let n = i32x4_sub(t, i32x4_splat(ROUND_BITS));
                let half = i32x4_shr(n, 1);
                let power = |k| i32x4_shl(i32x4_add(k, i32x4_splat(127)), 23);
                f32x4_mul(f32x4_mul(y, power(half)), power(i32x4_sub(n, half)))
            })
        })
    }

    #[inline(always)]
    fn round_to_i8(self, to: &mut [i8; LANES]) {
        let [low, high] = self.round();
        simd!(v128_store(to.as_mut_ptr().cast(), i8x16_narrow_i16x8(low, high)));
    }

    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16; LANES]) {
        let [low, high] = self.round();
        let to = to.as_mut_ptr().cast::<v128>();
        simd!({
            v128_store(to, low);
            v128_store(to.add(1), high);
        });
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        simd!({
            let four = f32x4_add(f32x4_add(a, c), f32x4_add(b, d));
            let two = f32x4_add(four, i32x4_shuffle::<2, 3, 0, 1>(four, four));
            f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
        })
    }
}

/// Entry functions: the shared algorithm, compiled for SIMD.
macro_rules! entries {
    ($($(#[$doc:meta])* fn $name:ident ( $($arg:ident : $type:ty),* ) $(-> $result:ty)?;)*) => {$(
        $(#[$doc])*
        #[target_feature(enable = "simd128")]
        pub(crate) fn $name(isa: Simd128, $($arg: $type),*) $(-> $result)? {
            lanes::$name::<Simd128Lanes>(isa, $($arg),*)
        }
    )*};
}

entries! {
    fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]);
    fn mix(z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]);
    fn quantise_int8(y: &[f32], q: &mut [i8]) -> f32;
    fn quantise_15bit(z: &[f32], q: &mut [i16]) -> f32;
    fn wkv(input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]);
    fn silu_gate(o: &mut [f32], g: &[f32]);
    fn sigmoid_gate_add(x: &mut [f32], r: &[f32], v: &[f32]);
    fn relu_squared(k: &mut [f32]);
    fn add(x: &mut [f32], y: &[f32]);
    fn exp(x: &mut [f32]);
    fn dot_rows(rows: &[u8], z: &[f32], logits: &mut [f32]);
}
