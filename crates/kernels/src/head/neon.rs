//! The head with NEON.

use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::coarse_many;
use super::madd::{self, Madd};
use super::many::{self, Quad};
use super::shape::{Input, ROWS, Shape};
use crate::isa::Neon;
use core::arch::aarch64::*;

pub(super) use super::unbounded::many::{BOUNDS_MANY, bounds_many};
pub(crate) use crate::vector::neon::dot_rows as float;

/// Only created with a [`Neon`] token.
#[derive(Clone, Copy)]
struct Sums(int32x4_t);

/// Calls an intrinsic that needs only NEON.
macro_rules! neon {
    ($body:expr) => {{
        // SAFETY: a value that is made only with a `Neon`, or a `Neon`, exists, so the CPU has NEON; the pointers come
        // from references to as many bytes as are read or written.
        #[allow(unused_unsafe, reason = "many targets have NEON enabled globally")]
        unsafe {
            $body
        }
    }};
}

impl Madd for Sums {
    type Isa = Neon;

    #[inline(always)]
    fn zero(_: Neon) -> Self {
        Sums(neon!(vdupq_n_s32(0)))
    }

    #[inline(always)]
    fn dot(self, e: &[i8; 16], q: &[i16; 16]) -> Self {
        neon!({
            let e = vld1q_s8(e.as_ptr());
            let (low, high) = (vmovl_s8(vget_low_s8(e)), vmovl_high_s8(e));
            let (q_low, q_high) = (vld1q_s16(q.as_ptr()), vld1q_s16(q[8..].as_ptr()));
            let sum = vmlal_s16(self.0, vget_low_s16(low), vget_low_s16(q_low));
            let sum = vmlal_high_s16(sum, low, q_low);
            let sum = vmlal_s16(sum, vget_low_s16(high), vget_low_s16(q_high));
            Sums(vmlal_high_s16(sum, high, q_high))
        })
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [a, b, c, d] = rows;
        store(neon!(vpaddq_s32(vpaddq_s32(a.0, b.0), vpaddq_s32(c.0, d.0))))
    }
}

/// The four lanes as an array.
#[inline(always)]
fn store(four: int32x4_t) -> [i32; 4] {
    let mut to = [0; 4];
    neon!(vst1q_s32(to.as_mut_ptr(), four));
    to
}

/// Eight columns, two of each of four rows, as 16 bits. Only created with a [`Neon`] token.
#[derive(Clone, Copy)]
struct Words(int16x8_t);

impl Quad<8> for Words {
    type Isa = Neon;
    type Spread = Words;
    /// Sums of two rows, and of the other two, with one lane per column.
    type Sums = [Sums; 2];

    #[inline(always)]
    fn zeros(isa: Neon) -> [Sums; 2] {
        [Sums::zero(isa); 2]
    }

    #[inline(always)]
    fn load_rows(_: Neon, e: &[i8; 8]) -> Self {
        Words(neon!(vmovl_s8(vld1_s8(e.as_ptr()))))
    }

    #[inline(always)]
    fn arrange(q: &[i16; 8]) -> [i16; 8] {
        *q
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: Neon, q: &[i16; 8]) -> Words {
        let (groups, _) = q.as_chunks::<2>();
        Words(neon!(vreinterpretq_s16_s32(vld1q_dup_s32(groups[GROUP as usize & 3].as_ptr().cast()))))
    }

    #[inline(always)]
    fn add_products(self, [low, high]: [Sums; 2], q: Words) -> [Sums; 2] {
        neon!([
            Sums(vmlal_s16(low.0, vget_low_s16(self.0), vget_low_s16(q.0))),
            Sums(vmlal_high_s16(high.0, self.0, q.0)),
        ])
    }

    #[inline(always)]
    fn total(_: Neon, quads: [[Sums; 2]; 4]) -> [i32; ROWS] {
        let mut total = [0; ROWS];
        let (fours, _) = total.as_chunks_mut::<4>();
        for (four, [low, high]) in fours.iter_mut().zip(quads) {
            *four = store(neon!(vpaddq_s32(low.0, high.0)));
        }
        total
    }

    #[inline(always)]
    fn surplus(_: &[i16]) -> i32 {
        0
    }
}

pub(crate) fn int8(isa: Neon, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    #[target_feature(enable = "neon")]
    fn compiled(isa: Neon, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        madd::int8::<Sums>(isa, rows, row_scales, q, scale, logits);
    }
    neon!(compiled(isa, rows, row_scales, q, scale, logits))
}

pub(super) fn exact(isa: Neon, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    #[target_feature(enable = "neon")]
    fn compiled(isa: Neon, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
        madd::exact::<Sums>(isa, rows, tokens, q, dots);
    }
    neon!(compiled(isa, rows, tokens, q, dots))
}

/// A quarter of a block of codes: 4 rows × 8 columns. Only created with a [`Neon`] token.
#[derive(Clone, Copy)]
struct Codes(uint8x16_t);

/// Sums of 4 rows: in 16 bits since the last widening, with one lane per column, and in 32. Only created with a
/// [`Neon`] token.
#[derive(Clone, Copy)]
struct Parts {
    narrow: [int16x8_t; 2],
    wide: int32x4_t,
}

impl Coarse for Codes {
    type Isa = Neon;
    type Columns = [Sums; 2];
    type Sums = Parts;
    const PER_BLOCK: usize = 4;

    #[inline(always)]
    fn no_sums(_: Neon) -> Parts {
        neon!(Parts { narrow: [vdupq_n_s16(0); 2], wide: vdupq_n_s32(0) })
    }

    #[inline(always)]
    fn columns(_: Neon, columns: &Columns) -> [Sums; 2] {
        neon!([Sums(vdupq_n_s32(columns[0])), Sums(vdupq_n_s32(columns[1]))])
    }

    #[inline(always)]
    fn load_codes(_: Neon, block: &Block, part: usize) -> Self {
        let (parts, _) = block.0.as_chunks::<16>();
        Codes(neon!(vld1q_u8(parts[part].as_ptr())))
    }

    #[inline(always)]
    fn add_dot(self, columns: [Sums; 2], sums: Parts) -> Parts {
        neon!({
            let codes = [vandq_u8(self.0, vdupq_n_u8(0x0f)), vshrq_n_u8::<4>(self.0)];
            let [mut first, mut last] = sums.narrow;
            for i in 0..2 {
                let (codes, x) = (vreinterpretq_s8_u8(codes[i]), vreinterpretq_s8_s32(columns[i].0));
                first = vmlal_s8(first, vget_low_s8(codes), vget_low_s8(x));
                last = vmlal_high_s8(last, codes, x);
            }
            // Each call adds at most `2 · 15 · 128` to a lane: four of them fit.
            Parts { narrow: [first, last], ..sums }
        })
    }

    #[inline(always)]
    fn widen(sums: Parts) -> Parts {
        neon!({
            let [first, last] = sums.narrow;
            let rows = vpaddq_s32(vpaddlq_s16(first), vpaddlq_s16(last));
            Parts { narrow: [vdupq_n_s16(0); 2], wide: vaddq_s32(sums.wide, rows) }
        })
    }

    #[inline(always)]
    fn finish(sums: Parts, to: &mut [i32]) {
        to.copy_from_slice(&store(sums.wide));
    }
}

coarse::entry!(Neon, Codes, 8, 1, 4, 2, "neon");

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 2, lanes: 1, flip: 0 });

pub(super) fn int8_many(isa: Neon, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "neon")]
    fn compiled(isa: Neon, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<8, 2, Words>(isa, input, logits);
    }
    neon!(compiled(isa, input, logits))
}
