//! The head with the INT8 matrix instructions: `smmla`, two rows of eight bytes × the two digits of eight activations.
//!
//! The second stage computes single rows, for which the dot product is used instead.

use super::coarse::{CoarseRows, Input as CoarseInput};
use super::coarse_many;
use super::dpbusd;
use super::many::{self, Quad};
pub(super) use super::neon_dotprod::{BOUNDS, exact, float, int8};
use super::shape::{Input, ROWS, Shape};
pub(super) use super::unbounded::many::{BOUNDS_MANY, bounds_many};
use crate::isa::NeonI8mm;
use crate::isa::neon::smmla;
use core::arch::aarch64::*;

/// Calls an intrinsic that needs only the INT8 matrix instructions.
macro_rules! i8mm {
    ($body:expr) => {{
        // SAFETY: an `Eights` or a `NeonI8mm` exists, so the CPU has the instructions; the pointers come from
        // references to as many bytes as are read or written.
        #[allow(unused_unsafe, reason = "many targets have NEON enabled globally")]
        unsafe {
            $body
        }
    }};
}

/// Eight columns of each of four rows, two rows per register. Only created with a [`NeonI8mm`] token.
#[derive(Clone, Copy)]
struct Eights([int32x4_t; 2]);

impl Quad<32> for Eights {
    type Isa = NeonI8mm;
    /// The high digits of eight activations, then the low ones.
    type Spread = int32x4_t;
    /// Sums of two rows with the high digits and with the low ones, and of the other two rows.
    type Sums = Eights;

    #[inline(always)]
    fn zeros(_: NeonI8mm) -> Eights {
        Eights(i8mm!([vdupq_n_s32(0); 2]))
    }

    #[inline(always)]
    fn load_rows(_: NeonI8mm, e: &[i8; 32]) -> Self {
        let (two, _) = e.as_chunks::<16>();
        Eights(i8mm!([
            vreinterpretq_s32_s8(vld1q_s8(two[0].as_ptr())),
            vreinterpretq_s32_s8(vld1q_s8(two[1].as_ptr()))
        ]))
    }

    #[inline(always)]
    fn arrange(q: &[i16; 32]) -> [i16; 32] {
        let mut arranged = [0; 32];
        for (to, q) in arranged.as_chunks_mut::<8>().0.iter_mut().zip(q.as_chunks::<8>().0) {
            *to = dpbusd::digits(q);
        }
        arranged
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: NeonI8mm, q: &[i16; 32]) -> int32x4_t {
        let (groups, _) = q.as_chunks::<8>();
        i8mm!(vreinterpretq_s32_s16(vld1q_s16(groups[GROUP as usize & 3].as_ptr())))
    }

    #[inline(always)]
    fn add_products(self, sums: Eights, q: int32x4_t) -> Eights {
        Eights(i8mm!([smmla(sums.0[0], self.0[0], q), smmla(sums.0[1], self.0[1], q)]))
    }

    #[inline(always)]
    fn total(_: NeonI8mm, quads: [Eights; 4]) -> [i32; ROWS] {
        let mut total = [0; ROWS];
        let (fours, _) = total.as_chunks_mut::<4>();
        for (four, Eights([a, b])) in fours.iter_mut().zip(quads) {
            i8mm!({
                let (high, low) = (vuzp1q_s32(a, b), vuzp2q_s32(a, b));
                vst1q_s32(four.as_mut_ptr(), vaddq_s32(vshlq_n_s32::<7>(high), low));
            });
        }
        total
    }

    #[inline(always)]
    fn surplus(_: &[i16]) -> i32 {
        0
    }
}

pub(super) fn bounds_together(isa: NeonI8mm, input: coarse_many::Input<'_>, each: coarse_many::Each<'_>) {
    super::neon_dotprod::bounds_together(isa.into(), input, each);
}

pub(super) fn bounds(
    isa: NeonI8mm,
    coarse: &CoarseRows,
    first_group: usize,
    input: &CoarseInput,
    scales: (&[f32], f32),
    bounds: &mut [f32],
) {
    super::neon_dotprod::bounds(isa.into(), coarse, first_group, input, scales, bounds);
}

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 8, lanes: 1, flip: 0 });

pub(super) fn int8_many(isa: NeonI8mm, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "neon,i8mm")]
    fn compiled(isa: NeonI8mm, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<32, 2, Eights>(isa, input, logits);
    }
    i8mm!(compiled(isa, input, logits))
}
