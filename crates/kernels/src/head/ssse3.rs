//! The head with SSSE3.

use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::coarse_many;
use super::madd::{self, Madd};
use super::many::{self, Quad};
use super::shape::{Input, ROWS, Shape};
use crate::isa::Ssse3;
use core::arch::x86_64::*;

pub(super) use super::unbounded::many::{BOUNDS_MANY, bounds_many};
pub(crate) use crate::vector::ssse3::dot_rows as float;

/// Only created with an [`Ssse3`] token.
#[derive(Clone, Copy)]
struct Sums(__m128i);

/// Calls an intrinsic that needs only SSSE3.
macro_rules! ssse3 {
    ($body:expr) => {{
        // SAFETY: a `Sums` or an `Ssse3` exists, so the CPU has SSSE3; the pointers come from references to as
        // many bytes as are read or written.
        unsafe { $body }
    }};
}

impl Madd for Sums {
    type Isa = Ssse3;

    #[inline(always)]
    fn zero(_: Ssse3) -> Self {
        Sums(ssse3!(_mm_setzero_si128()))
    }

    #[inline(always)]
    fn dot(self, e: &[i8; 16], q: &[i16; 16]) -> Self {
        ssse3!({
            let e = _mm_loadu_si128(e.as_ptr().cast());
            // A byte in the high half of 16 bits, shifted down with its sign.
            let low = _mm_srai_epi16::<8>(_mm_unpacklo_epi8(e, e));
            let high = _mm_srai_epi16::<8>(_mm_unpackhi_epi8(e, e));
            let q_low = _mm_loadu_si128(q.as_ptr().cast());
            let q_high = _mm_loadu_si128(q.as_ptr().add(8).cast());
            let products = _mm_add_epi32(_mm_madd_epi16(low, q_low), _mm_madd_epi16(high, q_high));
            Sums(_mm_add_epi32(self.0, products))
        })
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [a, b, c, d] = rows;
        let mut sums = [0; 4];
        ssse3!({
            let four = _mm_hadd_epi32(_mm_hadd_epi32(a.0, b.0), _mm_hadd_epi32(c.0, d.0));
            _mm_storeu_si128(sums.as_mut_ptr().cast(), four);
        });
        sums
    }
}

/// Eight columns as 16 bits.
impl Quad<8> for Sums {
    type Isa = Ssse3;
    type Spread = Sums;
    type Sums = Sums;

    #[inline(always)]
    fn zeros(isa: Ssse3) -> Sums {
        Self::zero(isa)
    }

    #[inline(always)]
    fn load_rows(_: Ssse3, e: &[i8; 8]) -> Self {
        ssse3!({
            let e = _mm_loadl_epi64(e.as_ptr().cast());
            Sums(_mm_srai_epi16::<8>(_mm_unpacklo_epi8(e, e)))
        })
    }

    #[inline(always)]
    fn arrange(q: &[i16; 8]) -> [i16; 8] {
        *q
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: Ssse3, q: &[i16; 8]) -> Sums {
        Sums(ssse3!(_mm_shuffle_epi32::<GROUP>(_mm_loadu_si128(q.as_ptr().cast()))))
    }

    #[inline(always)]
    fn add_products(self, sums: Sums, q: Sums) -> Sums {
        Sums(ssse3!(_mm_add_epi32(sums.0, _mm_madd_epi16(self.0, q.0))))
    }

    #[inline(always)]
    fn total(_: Ssse3, quads: [Sums; 4]) -> [i32; ROWS] {
        let mut total = [0; ROWS];
        let (fours, _) = total.as_chunks_mut::<4>();
        for (four, quad) in fours.iter_mut().zip(quads) {
            ssse3!(_mm_storeu_si128(four.as_mut_ptr().cast(), quad.0));
        }
        total
    }

    #[inline(always)]
    fn surplus(_: &[i16]) -> i32 {
        0
    }
}

pub(crate) fn int8(isa: Ssse3, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    #[target_feature(enable = "ssse3")]
    fn compiled(isa: Ssse3, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        madd::int8::<Sums>(isa, rows, row_scales, q, scale, logits);
    }
    ssse3!(compiled(isa, rows, row_scales, q, scale, logits))
}

pub(super) fn exact(isa: Ssse3, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    #[target_feature(enable = "ssse3")]
    fn compiled(isa: Ssse3, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
        madd::exact::<Sums>(isa, rows, tokens, q, dots);
    }
    ssse3!(compiled(isa, rows, tokens, q, dots))
}

/// A quarter of a block of codes: 4 rows × 8 columns.
impl Coarse for Sums {
    type Isa = Ssse3;
    type Columns = [Self; 2];
    /// In 16 bits since the last widening, and in 32.
    type Sums = [Self; 2];
    const PER_BLOCK: usize = 4;

    #[inline(always)]
    fn no_sums(isa: Ssse3) -> [Self; 2] {
        [Self::zero(isa); 2]
    }

    #[inline(always)]
    fn columns(_: Ssse3, columns: &Columns) -> [Self; 2] {
        [Sums(ssse3!(_mm_set1_epi32(columns[0]))), Sums(ssse3!(_mm_set1_epi32(columns[1])))]
    }

    #[inline(always)]
    fn load_codes(_: Ssse3, block: &Block, part: usize) -> Self {
        let (parts, _) = block.0.as_chunks::<16>();
        Sums(ssse3!(_mm_load_si128(parts[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn add_dot(self, columns: [Self; 2], sums: [Self; 2]) -> [Self; 2] {
        let narrow = ssse3!({
            let mask = _mm_set1_epi8(0x0f);
            let low = _mm_maddubs_epi16(_mm_and_si128(self.0, mask), columns[0].0);
            let high = _mm_and_si128(_mm_srli_epi16::<4>(self.0), mask);
            _mm_add_epi16(sums[0].0, _mm_add_epi16(low, _mm_maddubs_epi16(high, columns[1].0)))
        });
        [Sums(narrow), sums[1]]
    }

    #[inline(always)]
    fn widen(sums: [Self; 2]) -> [Self; 2] {
        ssse3!({
            let pairs = _mm_madd_epi16(sums[0].0, _mm_set1_epi16(1));
            [Sums(_mm_setzero_si128()), Sums(_mm_add_epi32(sums[1].0, pairs))]
        })
    }

    #[inline(always)]
    fn finish(sums: [Self; 2], to: &mut [i32]) {
        let to = to.first_chunk_mut::<4>().expect("a vector of rows");
        ssse3!(_mm_storeu_si128(to.as_mut_ptr().cast(), sums[1].0));
    }
}

coarse::entry!(Ssse3, Sums, 8, 1, 4, 2, "ssse3");

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 2, lanes: 1, flip: 0 });

pub(super) fn int8_many(isa: Ssse3, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "ssse3")]
    fn compiled(isa: Ssse3, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<8, 2, Sums>(isa, input, logits);
    }
    ssse3!(compiled(isa, input, logits))
}
