//! The head with NEON and its dot product of two signed operands.

use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::coarse_many;
use super::dpbusd::{self, Dpbusd};
use super::first_digit::FirstDigit;
use super::many::{self, Quad};
use super::shape::{Input, ROWS, Shape};
use crate::isa::NeonDotprod;
use crate::isa::neon::sdot;
use core::arch::aarch64::*;

pub(crate) use crate::vector::neon_dotprod::dot_rows as float;

/// Only created with a [`NeonDotprod`] token.
#[derive(Clone, Copy)]
struct Four(int32x4_t);

/// Calls an intrinsic that needs only NEON and its dot product.
macro_rules! dotprod {
    ($body:expr) => {{
        // SAFETY: a `Four` or a `NeonDotprod` exists, so the CPU has the instructions; the pointers come from references
        // to as many bytes as are read or written.
        #[allow(unused_unsafe, reason = "many targets have NEON enabled globally")]
        unsafe {
            $body
        }
    }};
}

impl Dpbusd<16> for Four {
    type Isa = NeonDotprod;
    const SIGNED: bool = true;

    #[inline(always)]
    fn zero(_: NeonDotprod) -> Self {
        Four(dotprod!(vdupq_n_s32(0)))
    }

    #[inline(always)]
    fn load_unsigned(isa: NeonDotprod, e: &[i8; 16]) -> Self {
        Self::load(isa, e)
    }

    #[inline(always)]
    fn load(_: NeonDotprod, digits: &[i8; 16]) -> Self {
        Four(dotprod!(vreinterpretq_s32_s8(vld1q_s8(digits.as_ptr()))))
    }

    #[inline(always)]
    fn dot(self, e: Self, digits: Self) -> Self {
        Four(dotprod!(sdot(self.0, e.0, digits.0)))
    }

    #[inline(always)]
    fn join(self, low: Self) -> Self {
        Four(dotprod!(vaddq_s32(vshlq_n_s32::<7>(self.0), low.0)))
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [a, b, c, d] = rows;
        store(Four(dotprod!(vpaddq_s32(vpaddq_s32(a.0, b.0), vpaddq_s32(c.0, d.0)))))
    }
}

/// The lanes as an array.
#[inline(always)]
fn store(four: Four) -> [i32; 4] {
    let mut to = [0; 4];
    dotprod!(vst1q_s32(to.as_mut_ptr(), four.0));
    to
}

/// Four columns of each of four rows.
impl Quad<16> for Four {
    type Isa = NeonDotprod;
    /// Products with the high digits, and with the low ones.
    type Spread = [Four; 2];
    type Sums = [Four; 2];

    #[inline(always)]
    fn zeros(isa: NeonDotprod) -> [Four; 2] {
        [Self::zero(isa); 2]
    }

    #[inline(always)]
    fn load_rows(isa: NeonDotprod, e: &[i8; 16]) -> Self {
        Self::load(isa, e)
    }

    #[inline(always)]
    fn arrange(q: &[i16; 16]) -> [i16; 16] {
        dpbusd::digits(q)
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: NeonDotprod, q: &[i16; 16]) -> [Four; 2] {
        let (pairs, _) = q.as_chunks::<2>();
        let group = GROUP as usize & 3;
        dotprod!([
            Four(vld1q_dup_s32(pairs[group].as_ptr().cast())),
            Four(vld1q_dup_s32(pairs[4 + group].as_ptr().cast())),
        ])
    }

    #[inline(always)]
    fn add_products(self, [high, low]: [Four; 2], q: [Four; 2]) -> [Four; 2] {
        [high.dot(self, q[0]), low.dot(self, q[1])]
    }

    #[inline(always)]
    fn total(_: NeonDotprod, quads: [[Four; 2]; 4]) -> [i32; ROWS] {
        let mut total = [0; ROWS];
        let (fours, _) = total.as_chunks_mut::<4>();
        for (four, [high, low]) in fours.iter_mut().zip(quads) {
            *four = store(high.join(low));
        }
        total
    }

    #[inline(always)]
    fn surplus(_: &[i16]) -> i32 {
        0
    }
}

pub(crate) fn int8(
    isa: impl Into<NeonDotprod>,
    rows: &[i8],
    row_scales: &[f32],
    q: &[i16],
    scale: f32,
    logits: &mut [f32],
) {
    #[target_feature(enable = "neon,dotprod")]
    fn compiled(isa: NeonDotprod, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        dpbusd::int8::<16, Four>(isa, rows, row_scales, q, scale, logits);
    }
    dotprod!(compiled(isa.into(), rows, row_scales, q, scale, logits))
}

pub(super) fn exact(isa: impl Into<NeonDotprod>, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    #[target_feature(enable = "neon,dotprod")]
    fn compiled(isa: NeonDotprod, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
        dpbusd::exact::<16, Four>(isa, rows, tokens, q, dots);
    }
    dotprod!(compiled(isa.into(), rows, tokens, q, dots))
}

/// A quarter of a block of codes: 4 rows × 8 columns.
impl Coarse for Four {
    type Isa = NeonDotprod;
    type Columns = [Self; 2];
    type Sums = Self;
    const PER_BLOCK: usize = 4;

    #[inline(always)]
    fn no_sums(isa: NeonDotprod) -> Self {
        Self::zero(isa)
    }

    #[inline(always)]
    fn columns(_: NeonDotprod, columns: &Columns) -> [Self; 2] {
        dotprod!([Four(vdupq_n_s32(columns[0])), Four(vdupq_n_s32(columns[1]))])
    }

    #[inline(always)]
    fn load_codes(_: NeonDotprod, block: &Block, part: usize) -> Self {
        let (parts, _) = block.0.as_chunks::<16>();
        Four(dotprod!(vreinterpretq_s32_u8(vld1q_u8(parts[part].as_ptr()))))
    }

    #[inline(always)]
    fn add_dot(self, columns: [Self; 2], sums: Self) -> Self {
        let (low, high) = dotprod!({
            let codes = vreinterpretq_u8_s32(self.0);
            let (low, high) = (vandq_u8(codes, vdupq_n_u8(0x0f)), vshrq_n_u8::<4>(codes));
            (Four(vreinterpretq_s32_u8(low)), Four(vreinterpretq_s32_u8(high)))
        });
        sums.dot(low, columns[0]).dot(high, columns[1])
    }

    #[inline(always)]
    fn widen(sums: Self) -> Self {
        sums
    }

    #[inline(always)]
    fn finish(sums: Self, to: &mut [i32]) {
        to.copy_from_slice(&store(sums));
    }
}

coarse::entry!(NeonDotprod, Four, 8, 1, 4, 2, "neon,dotprod");

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 4, lanes: 1, flip: 0 });

pub(super) fn int8_many(isa: NeonDotprod, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "neon,dotprod")]
    fn compiled(isa: NeonDotprod, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<16, 2, Four>(isa, input, logits);
    }
    dotprod!(compiled(isa, input, logits))
}

pub(super) const BOUNDS_MANY: bool = true;

/// Computes bounds of logits, piece by piece.
pub(super) fn bounds_many(isa: NeonDotprod, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
    #[target_feature(enable = "neon,dotprod")]
    fn compiled(isa: NeonDotprod, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
        many::piece_by_piece::<16, 2, FirstDigit<Four>>(isa, input, each);
    }
    dotprod!(compiled(isa, input, each))
}
