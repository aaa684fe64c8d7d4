//! The head with AVX-VNNI.

use super::avx2;
use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::coarse_many;
use super::dpbusd::{self, Dpbusd};
use super::first_digit::FirstDigit;
use super::many::{self, Quad};
use super::shape::{Input, ROWS, Shape};
use crate::isa::AvxVnni;
use core::arch::x86_64::*;

pub(crate) use crate::vector::avx_vnni::dot_rows as float;

/// Only created with an [`AvxVnni`] token.
#[derive(Clone, Copy)]
struct Half(__m256i);

/// Calls an intrinsic that needs only AVX2 and AVX-VNNI.
macro_rules! vnni {
    ($body:expr) => {{
        // SAFETY: a `Half` or an `AvxVnni` exists, so the CPU has the instructions; the pointers come from
        // references to as many bytes as are read.
        unsafe { $body }
    }};
}

impl Dpbusd<32> for Half {
    type Isa = AvxVnni;

    #[inline(always)]
    fn zero(_: AvxVnni) -> Self {
        Half(vnni!(_mm256_setzero_si256()))
    }

    #[inline(always)]
    fn load_unsigned(isa: AvxVnni, e: &[i8; 32]) -> Self {
        Half(vnni!(_mm256_xor_si256(Self::load(isa, e).0, _mm256_set1_epi8(i8::MIN))))
    }

    #[inline(always)]
    fn load(_: AvxVnni, digits: &[i8; 32]) -> Self {
        Half(vnni!(_mm256_loadu_si256(digits.as_ptr().cast())))
    }

    #[inline(always)]
    fn dot(self, e: Self, digits: Self) -> Self {
        Half(vnni!(_mm256_dpbusd_avx_epi32(self.0, e.0, digits.0)))
    }

    #[inline(always)]
    fn join(self, low: Self) -> Self {
        Half(vnni!(_mm256_add_epi32(_mm256_slli_epi32::<7>(self.0), low.0)))
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [a, b, c, d] = rows;
        vnni!(avx2::sum4([a.0, b.0, c.0, d.0]))
    }
}

impl Quad<32> for Half {
    type Isa = AvxVnni;
    /// Products with the high digits, and with the low ones.
    type Spread = [Half; 2];
    type Sums = [Half; 2];

    #[inline(always)]
    fn zeros(isa: AvxVnni) -> [Half; 2] {
        [Self::zero(isa); 2]
    }

    #[inline(always)]
    fn load_rows(isa: AvxVnni, e: &[i8; 32]) -> Self {
        Self::load(isa, e)
    }

    #[inline(always)]
    fn arrange(q: &[i16; 32]) -> [i16; 32] {
        dpbusd::digits(q)
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: AvxVnni, q: &[i16; 32]) -> [Half; 2] {
        vnni!({
            let (high, low) = (_mm256_loadu_si256(q.as_ptr().cast()), _mm256_loadu_si256(q[16..].as_ptr().cast()));
            [Half(_mm256_shuffle_epi32::<GROUP>(high)), Half(_mm256_shuffle_epi32::<GROUP>(low))]
        })
    }

    #[inline(always)]
    fn add_products(self, [high, low]: [Half; 2], q: [Half; 2]) -> [Half; 2] {
        [high.dot(self, q[0]), low.dot(self, q[1])]
    }

    #[inline(always)]
    fn total(_: AvxVnni, quads: [[Half; 2]; 4]) -> [i32; ROWS] {
        let [[ah, al], [bh, bl], [ch, cl], [dh, dl]] = quads;
        vnni!(avx2::total([ah.join(al).0, bh.join(bl).0, ch.join(cl).0, dh.join(dl).0]))
    }

    #[inline(always)]
    fn surplus(q: &[i16]) -> i32 {
        dpbusd::surplus(q)
    }
}

pub(crate) fn int8(isa: AvxVnni, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    #[target_feature(enable = "avx2,avxvnni")]
    fn compiled(isa: AvxVnni, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        dpbusd::int8::<32, Half>(isa, rows, row_scales, q, scale, logits);
    }
    vnni!(compiled(isa, rows, row_scales, q, scale, logits))
}

pub(super) fn exact(isa: AvxVnni, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    #[target_feature(enable = "avx2,avxvnni")]
    fn compiled(isa: AvxVnni, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
        dpbusd::exact::<32, Half>(isa, rows, tokens, q, dots);
    }
    vnni!(compiled(isa, rows, tokens, q, dots))
}

/// Half a block of codes: 8 rows × 8 columns.
impl Coarse for Half {
    type Isa = AvxVnni;
    type Columns = [Self; 2];
    /// Sums of the low halves, and 16 times those of the high halves: a mask separates them.
    type Sums = [Self; 2];
    const PER_BLOCK: usize = 2;

    #[inline(always)]
    fn no_sums(isa: AvxVnni) -> [Self; 2] {
        [Self::zero(isa); 2]
    }

    #[inline(always)]
    fn columns(_: AvxVnni, columns: &Columns) -> [Self; 2] {
        [Half(vnni!(_mm256_set1_epi32(columns[0]))), Half(vnni!(_mm256_set1_epi32(columns[1])))]
    }

    #[inline(always)]
    fn load_codes(_: AvxVnni, block: &Block, part: usize) -> Self {
        let (halves, _) = block.0.as_chunks::<32>();
        Half(vnni!(_mm256_load_si256(halves[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn add_dot(self, columns: [Self; 2], sums: [Self; 2]) -> [Self; 2] {
        let low = Half(vnni!(_mm256_and_si256(self.0, _mm256_set1_epi8(0x0f))));
        let high = Half(vnni!(_mm256_and_si256(self.0, _mm256_set1_epi8(0xf0u8 as i8))));
        [sums[0].dot(low, columns[0]), sums[1].dot(high, columns[1])]
    }

    #[inline(always)]
    fn widen(sums: [Self; 2]) -> [Self; 2] {
        sums
    }

    #[inline(always)]
    fn finish(sums: [Self; 2], to: &mut [i32]) {
        let to = to.first_chunk_mut::<8>().expect("a vector of rows");
        vnni!({
            let sum = _mm256_add_epi32(sums[0].0, _mm256_srai_epi32::<4>(sums[1].0));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), sum);
        });
    }
}

coarse::entry!(AvxVnni, Half, 4, 1, 4, 1, "avx2,avxvnni");

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 4, lanes: 2, flip: i8::MIN });

pub(super) fn int8_many(isa: AvxVnni, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "avx2,avxvnni")]
    fn compiled(isa: AvxVnni, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<32, 1, Half>(isa, input, logits);
    }
    vnni!(compiled(isa, input, logits))
}

pub(super) const BOUNDS_MANY: bool = true;

/// Computes bounds of logits, piece by piece.
pub(super) fn bounds_many(isa: AvxVnni, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
    #[target_feature(enable = "avx2,avxvnni")]
    fn compiled(isa: AvxVnni, input: Input<'_>, each: &mut dyn FnMut(usize, usize, &mut [f32])) {
        many::piece_by_piece::<32, 2, FirstDigit<Half>>(isa, input, each);
    }
    vnni!(compiled(isa, input, each))
}
