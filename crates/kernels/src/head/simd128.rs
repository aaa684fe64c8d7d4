//! The head with WebAssembly SIMD.

use super::madd::{self, Madd};
use crate::isa::Simd128;
use core::arch::wasm32::*;

pub(crate) use crate::vector::simd128::dot_rows as float;

/// Made only by a function that was given a [`Simd128`].
#[derive(Clone, Copy)]
struct Sums(v128);

/// Runs an intrinsic that needs SIMD alone.
macro_rules! simd {
    ($body:expr) => {{
        // SAFETY: the pointers come from references to as many bytes as are read or written. That the instructions
        // exist was settled when the module was accepted.
        #[allow(unused_unsafe, reason = "an intrinsic without a pointer is safe where SIMD is enabled for all")]
        unsafe {
            $body
        }
    }};
}

impl Madd for Sums {
    type Isa = Simd128;

    #[inline(always)]
    fn zero(_: Simd128) -> Self {
        Sums(simd!(i32x4_splat(0)))
    }

    #[inline(always)]
    fn dot(self, e: &[i8; 16], q: &[i16; 16]) -> Self {
        simd!({
            let e = v128_load(e.as_ptr().cast());
            let low = i32x4_dot_i16x8(i16x8_extend_low_i8x16(e), v128_load(q.as_ptr().cast()));
            let high = i32x4_dot_i16x8(i16x8_extend_high_i8x16(e), v128_load(q.as_ptr().add(8).cast()));
            Sums(i32x4_add(self.0, i32x4_add(low, high)))
        })
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [Sums(a), Sums(b), Sums(c), Sums(d)] = rows;
        let mut sums = [0; 4];
        simd!({
            // Two rounds of pairwise sums.
            let ab = i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b));
            let cd = i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(c, d), i32x4_shuffle::<1, 3, 5, 7>(c, d));
            let all = i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(ab, cd), i32x4_shuffle::<1, 3, 5, 7>(ab, cd));
            v128_store(sums.as_mut_ptr().cast(), all);
        });
        sums
    }
}

pub(crate) fn int8(
    isa: impl Into<Simd128>,
    rows: &[i8],
    row_scales: &[f32],
    q: &[i16],
    scale: f32,
    logits: &mut [f32],
) {
    #[target_feature(enable = "simd128")]
    fn compiled(isa: Simd128, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        madd::int8::<Sums>(isa, rows, row_scales, q, scale, logits);
    }
    simd!(compiled(isa.into(), rows, row_scales, q, scale, logits))
}

#[cfg(feature = "relaxed_simd")]
pub(super) fn exact(isa: impl Into<Simd128>, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    #[target_feature(enable = "simd128")]
    fn compiled(isa: Simd128, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
        madd::exact::<Sums>(isa, rows, tokens, q, dots);
    }
    simd!(compiled(isa.into(), rows, tokens, q, dots))
}
