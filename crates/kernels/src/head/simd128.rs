//! The head with WebAssembly SIMD.

use super::madd::{self, Madd};
use super::many::{self, Quad};
use super::shape::{Input, ROWS, Shape};
use crate::isa::Simd128;
use core::arch::wasm32::*;

pub(super) use super::unbounded::many::{BOUNDS_MANY, bounds_many};
#[cfg(not(feature = "relaxed_simd"))]
pub(super) use super::unbounded::one::exact;
pub(super) use super::unbounded::one::{BOUNDS, bounds, bounds_together};
pub(crate) use crate::vector::simd128::dot_rows as float;

/// Only created with a [`Simd128`] token.
#[derive(Clone, Copy)]
struct Sums(v128);

/// Calls an intrinsic that needs only SIMD.
macro_rules! simd {
    ($body:expr) => {{
        // SAFETY: the pointers come from references to as many bytes as are read or written. That the instructions
        // exist was settled when the module was accepted.
        #[allow(unused_unsafe, reason = "an intrinsic without a pointer is safe where SIMD is enabled globally")]
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

/// Eight columns as 16 bits.
impl Quad<8> for Sums {
    type Isa = Simd128;
    type Spread = Sums;
    type Sums = Sums;

    #[inline(always)]
    fn zeros(isa: Simd128) -> Sums {
        Self::zero(isa)
    }

    #[inline(always)]
    fn load_rows(_: Simd128, e: &[i8; 8]) -> Self {
        Sums(simd!(i16x8_load_extend_i8x8(e.as_ptr())))
    }

    #[inline(always)]
    fn arrange(q: &[i16; 8]) -> [i16; 8] {
        *q
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: Simd128, q: &[i16; 8]) -> Sums {
        let (groups, _) = q.as_chunks::<2>();
        Sums(simd!(v128_load32_splat(groups[GROUP as usize & 3].as_ptr().cast())))
    }

    #[inline(always)]
    fn add_products(self, sums: Sums, q: Sums) -> Sums {
        Sums(simd!(i32x4_add(sums.0, i32x4_dot_i16x8(self.0, q.0))))
    }

    #[inline(always)]
    fn total(_: Simd128, quads: [Sums; 4]) -> [i32; ROWS] {
        let mut total = [0; ROWS];
        let (fours, _) = total.as_chunks_mut::<4>();
        for (four, quad) in fours.iter_mut().zip(quads) {
            simd!(v128_store(four.as_mut_ptr().cast(), quad.0));
        }
        total
    }

    #[inline(always)]
    fn surplus(_: &[i16]) -> i32 {
        0
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

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 2, lanes: 1, flip: 0 });

pub(super) fn int8_many(isa: impl Into<Simd128>, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "simd128")]
    fn compiled(isa: Simd128, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<8, 2, Sums>(isa, input, logits);
    }
    simd!(compiled(isa.into(), input, logits))
}
