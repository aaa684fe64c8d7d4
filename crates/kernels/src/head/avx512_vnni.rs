//! The head with AVX-512 and VNNI.

use super::avx2;
use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::coarse_many;
use super::dpbusd::{self, Dpbusd};
use super::first_digit::FirstDigit;
use super::many::{self, Quad};
use super::shape::{Input, ROWS, Shape};
use crate::isa::Avx512Vnni;
use core::arch::x86_64::*;

pub(crate) use crate::vector::avx512_vnni::dot_rows as float;

/// Only created with an [`Avx512Vnni`] token.
#[derive(Clone, Copy)]
struct Whole(__m512i);

/// Calls an intrinsic that needs only AVX-512 with VNNI.
macro_rules! avx512 {
    ($body:expr) => {{
        // SAFETY: a `Whole` or an `Avx512Vnni` exists, so the CPU has the instructions; the pointers come from
        // references to as many bytes as are read.
        unsafe { $body }
    }};
}

impl Dpbusd<64> for Whole {
    type Isa = Avx512Vnni;

    #[inline(always)]
    fn zero(_: Avx512Vnni) -> Self {
        Whole(avx512!(_mm512_setzero_si512()))
    }

    #[inline(always)]
    fn load_unsigned(isa: Avx512Vnni, e: &[i8; 64]) -> Self {
        Whole(avx512!(_mm512_xor_si512(Self::load(isa, e).0, _mm512_set1_epi8(i8::MIN))))
    }

    #[inline(always)]
    fn load(_: Avx512Vnni, digits: &[i8; 64]) -> Self {
        Whole(avx512!(_mm512_loadu_si512(digits.as_ptr().cast())))
    }

    #[inline(always)]
    fn dot(self, e: Self, digits: Self) -> Self {
        Whole(avx512!(_mm512_dpbusd_epi32(self.0, e.0, digits.0)))
    }

    #[inline(always)]
    fn join(self, low: Self) -> Self {
        Whole(avx512!(_mm512_add_epi32(_mm512_slli_epi32::<7>(self.0), low.0)))
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [a, b, c, d] = rows;
        let halves = [half_sum(a), half_sum(b), half_sum(c), half_sum(d)];
        avx512!(avx2::sum4(halves))
    }
}

impl Quad<64> for Whole {
    type Isa = Avx512Vnni;
    /// Products with the high digits, and with the low ones.
    type Spread = [Whole; 2];
    type Sums = [Whole; 2];

    #[inline(always)]
    fn zeros(isa: Avx512Vnni) -> [Whole; 2] {
        [Self::zero(isa); 2]
    }

    #[inline(always)]
    fn load_rows(isa: Avx512Vnni, e: &[i8; 64]) -> Self {
        Self::load(isa, e)
    }

    #[inline(always)]
    fn arrange(q: &[i16; 64]) -> [i16; 64] {
        dpbusd::digits(q)
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: Avx512Vnni, q: &[i16; 64]) -> [Whole; 2] {
        avx512!({
            let (high, low) = (_mm512_loadu_si512(q.as_ptr().cast()), _mm512_loadu_si512(q[32..].as_ptr().cast()));
            [Whole(_mm512_shuffle_epi32::<GROUP>(high)), Whole(_mm512_shuffle_epi32::<GROUP>(low))]
        })
    }

    #[inline(always)]
    fn add_products(self, [high, low]: [Whole; 2], q: [Whole; 2]) -> [Whole; 2] {
        [high.dot(self, q[0]), low.dot(self, q[1])]
    }

    #[inline(always)]
    fn total(_: Avx512Vnni, quads: [[Whole; 2]; 4]) -> [i32; ROWS] {
        let [[ah, al], [bh, bl], [ch, cl], [dh, dl]] = quads;
        let (Whole(a), Whole(b), Whole(c), Whole(d)) = (ah.join(al), bh.join(bl), ch.join(cl), dh.join(dl));
        let mut total = [0; ROWS];
        avx512!({
            // Two rounds over the 128-bit lanes.
            let ab = _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
            let cd = _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
            let all = _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(ab, cd), _mm512_shuffle_i32x4::<0xdd>(ab, cd));
            _mm512_storeu_si512(total.as_mut_ptr().cast(), all);
        });
        total
    }

    #[inline(always)]
    fn surplus(q: &[i16]) -> i32 {
        dpbusd::surplus(q)
    }
}

/// Adds the two halves of a register.
#[inline(always)]
fn half_sum(Whole(row): Whole) -> __m256i {
    avx512!(_mm256_add_epi32(_mm512_castsi512_si256(row), _mm512_extracti64x4_epi64::<1>(row)))
}

pub(crate) fn int8(isa: Avx512Vnni, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(isa: Avx512Vnni, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        dpbusd::int8::<64, Whole>(isa, rows, row_scales, q, scale, logits);
    }
    avx512!(compiled(isa, rows, row_scales, q, scale, logits))
}

pub(super) fn exact(isa: Avx512Vnni, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(isa: Avx512Vnni, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
        dpbusd::exact::<64, Whole>(isa, rows, tokens, q, dots);
    }
    avx512!(compiled(isa, rows, tokens, q, dots))
}

/// A block of codes: 16 rows × 8 columns.
impl Coarse for Whole {
    type Isa = Avx512Vnni;
    type Columns = [Self; 2];
    /// Sums of the low halves, and 16 times those of the high halves: a mask separates them.
    type Sums = [Self; 2];
    const PER_BLOCK: usize = 1;

    #[inline(always)]
    fn no_sums(isa: Avx512Vnni) -> [Self; 2] {
        [Self::zero(isa); 2]
    }

    #[inline(always)]
    fn columns(_: Avx512Vnni, columns: &Columns) -> [Self; 2] {
        [Whole(avx512!(_mm512_set1_epi32(columns[0]))), Whole(avx512!(_mm512_set1_epi32(columns[1])))]
    }

    #[inline(always)]
    fn load_codes(_: Avx512Vnni, block: &Block, _: usize) -> Self {
        Whole(avx512!(_mm512_load_si512(block.0.as_ptr().cast())))
    }

    #[inline(always)]
    fn add_dot(self, columns: [Self; 2], sums: [Self; 2]) -> [Self; 2] {
        let low = Whole(avx512!(_mm512_and_si512(self.0, _mm512_set1_epi8(0x0f))));
        let high = Whole(avx512!(_mm512_and_si512(self.0, _mm512_set1_epi8(0xf0u8 as i8))));
        [sums[0].dot(low, columns[0]), sums[1].dot(high, columns[1])]
    }

    #[inline(always)]
    fn widen(sums: [Self; 2]) -> [Self; 2] {
        sums
    }

    #[inline(always)]
    fn finish(sums: [Self; 2], to: &mut [i32]) {
        let to = to.first_chunk_mut::<16>().expect("a vector of rows");
        avx512!({
            let sum = _mm512_add_epi32(sums[0].0, _mm512_srai_epi32::<4>(sums[1].0));
            _mm512_storeu_si512(to.as_mut_ptr().cast(), sum);
        });
    }
}

coarse::entry!(Avx512Vnni, Whole, 2, 2, 8, 1, "avx2,avx512f,avx512bw,avx512vl,avx512vnni");

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 4, lanes: 4, flip: i8::MIN });

pub(super) fn int8_many(isa: Avx512Vnni, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(isa: Avx512Vnni, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<64, 2, Whole>(isa, input, logits);
    }
    avx512!(compiled(isa, input, logits))
}

pub(super) const BOUNDS_MANY: bool = true;

/// Computes bounds of logits, piece by piece.
pub(super) fn bounds_many(isa: Avx512Vnni, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(isa: Avx512Vnni, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
        many::piece_by_piece::<64, 4, FirstDigit<Whole>>(isa, input, each);
    }
    avx512!(compiled(isa, input, each))
}
