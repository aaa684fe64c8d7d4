//! The head with AVX2.

use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::coarse_many;
use super::madd::{self, Madd};
use super::many::{self, Quad};
use super::shape::{Input, ROWS, Shape};
use crate::isa::Avx2;
use core::arch::x86_64::*;

pub(super) use super::unbounded::many::{BOUNDS_MANY, bounds_many};
pub(crate) use crate::vector::avx2::dot_rows as float;

/// Only created with an [`Avx2`] token.
#[derive(Clone, Copy)]
struct Sums(__m256i);

/// Calls an intrinsic that needs only AVX2.
macro_rules! avx2 {
    ($body:expr) => {{
        // SAFETY: a `Sums` or an `Avx2` exists, so the CPU has AVX2; the pointers come from references to as
        // many bytes as are read or written.
        unsafe { $body }
    }};
}

impl Madd for Sums {
    type Isa = Avx2;

    #[inline(always)]
    fn zero(_: Avx2) -> Self {
        Sums(avx2!(_mm256_setzero_si256()))
    }

    #[inline(always)]
    fn dot(self, e: &[i8; 16], q: &[i16; 16]) -> Self {
        avx2!({
            let e = _mm256_cvtepi8_epi16(_mm_loadu_si128(e.as_ptr().cast()));
            let q = _mm256_loadu_si256(q.as_ptr().cast());
            Sums(_mm256_add_epi32(self.0, _mm256_madd_epi16(e, q)))
        })
    }

    #[inline(always)]
    fn sum4(rows: [Self; 4]) -> [i32; 4] {
        let [a, b, c, d] = rows;
        // SAFETY: a `Sums` exists.
        unsafe { sum4([a.0, b.0, c.0, d.0]) }
    }
}

/// Sixteen columns as 16 bits.
impl Quad<16> for Sums {
    type Isa = Avx2;
    type Spread = Sums;
    type Sums = Sums;

    #[inline(always)]
    fn zeros(isa: Avx2) -> Sums {
        Self::zero(isa)
    }

    #[inline(always)]
    fn load_rows(_: Avx2, e: &[i8; 16]) -> Self {
        Sums(avx2!(_mm256_cvtepi8_epi16(_mm_loadu_si128(e.as_ptr().cast()))))
    }

    #[inline(always)]
    fn arrange(q: &[i16; 16]) -> [i16; 16] {
        *q
    }

    #[inline(always)]
    fn spread<const GROUP: i32>(_: Avx2, q: &[i16; 16]) -> Sums {
        Sums(avx2!(_mm256_shuffle_epi32::<GROUP>(_mm256_loadu_si256(q.as_ptr().cast()))))
    }

    #[inline(always)]
    fn add_products(self, sums: Sums, q: Sums) -> Sums {
        Sums(avx2!(_mm256_add_epi32(sums.0, _mm256_madd_epi16(self.0, q.0))))
    }

    #[inline(always)]
    fn total(_: Avx2, quads: [Sums; 4]) -> [i32; ROWS] {
        let [Sums(a), Sums(b), Sums(c), Sums(d)] = quads;
        avx2!(total([a, b, c, d]))
    }

    #[inline(always)]
    fn surplus(_: &[i16]) -> i32 {
        0
    }
}

/// Adds the two 128-bit lanes of each quad, in order.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
pub(super) unsafe fn total([a, b, c, d]: [__m256i; 4]) -> [i32; ROWS] {
    let mut total = [0; ROWS];
    // SAFETY: guaranteed by the caller; the array is 64 bytes.
    unsafe {
        let ab = _mm256_add_epi32(_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b));
        let cd = _mm256_add_epi32(_mm256_permute2x128_si256::<0x20>(c, d), _mm256_permute2x128_si256::<0x31>(c, d));
        _mm256_storeu_si256(total.as_mut_ptr().cast(), ab);
        _mm256_storeu_si256(total[8..].as_mut_ptr().cast(), cd);
    }
    total
}

/// Two rounds of pairwise sums leave the four sums next to each other, once in each half.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
pub(super) unsafe fn sum4(rows: [__m256i; 4]) -> [i32; 4] {
    let [a, b, c, d] = rows;
    let mut sums = [0; 4];
    // SAFETY: guaranteed by the caller; the array is 16 bytes.
    unsafe {
        let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let four = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
        _mm_storeu_si128(sums.as_mut_ptr().cast(), four);
    }
    sums
}

pub(crate) fn int8(isa: Avx2, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(isa: Avx2, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        madd::int8::<Sums>(isa, rows, row_scales, q, scale, logits);
    }
    avx2!(compiled(isa, rows, row_scales, q, scale, logits))
}

pub(super) fn exact(isa: Avx2, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(isa: Avx2, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
        madd::exact::<Sums>(isa, rows, tokens, q, dots);
    }
    avx2!(compiled(isa, rows, tokens, q, dots))
}

/// Half a block of codes: 8 rows × 8 columns.
impl Coarse for Sums {
    type Isa = Avx2;
    type Columns = [Self; 2];
    /// In 16 bits since the last widening, and in 32.
    type Sums = [Self; 2];
    const PER_BLOCK: usize = 2;

    #[inline(always)]
    fn no_sums(isa: Avx2) -> [Self; 2] {
        [Self::zero(isa); 2]
    }

    #[inline(always)]
    fn columns(_: Avx2, columns: &Columns) -> [Self; 2] {
        [Sums(avx2!(_mm256_set1_epi32(columns[0]))), Sums(avx2!(_mm256_set1_epi32(columns[1])))]
    }

    #[inline(always)]
    fn load_codes(_: Avx2, block: &Block, part: usize) -> Self {
        let (parts, _) = block.0.as_chunks::<32>();
        Sums(avx2!(_mm256_load_si256(parts[part].as_ptr().cast())))
    }

    #[inline(always)]
    fn add_dot(self, columns: [Self; 2], sums: [Self; 2]) -> [Self; 2] {
        let narrow = avx2!({
            let mask = _mm256_set1_epi8(0x0f);
            let low = _mm256_maddubs_epi16(_mm256_and_si256(self.0, mask), columns[0].0);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(self.0), mask);
            _mm256_add_epi16(sums[0].0, _mm256_add_epi16(low, _mm256_maddubs_epi16(high, columns[1].0)))
        });
        [Sums(narrow), sums[1]]
    }

    #[inline(always)]
    fn widen(sums: [Self; 2]) -> [Self; 2] {
        avx2!({
            let pairs = _mm256_madd_epi16(sums[0].0, _mm256_set1_epi16(1));
            [Sums(_mm256_setzero_si256()), Sums(_mm256_add_epi32(sums[1].0, pairs))]
        })
    }

    #[inline(always)]
    fn finish(sums: [Self; 2], to: &mut [i32]) {
        let to = to.first_chunk_mut::<8>().expect("a vector of rows");
        avx2!(_mm256_storeu_si256(to.as_mut_ptr().cast(), sums[1].0));
    }
}

coarse::entry!(Avx2, Sums, 4, 1, 8, 1, "avx2");

/// The layout that [`int8_many`] expects.
pub(super) const SHAPE: Option<Shape> = Some(Shape { group: 2, lanes: 2, flip: 0 });

pub(super) fn int8_many(isa: Avx2, input: Input<'_>, logits: &mut [f32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(isa: Avx2, input: Input<'_>, logits: &mut [f32]) {
        many::int8::<16, 2, Sums>(isa, input, logits);
    }
    avx2!(compiled(isa, input, logits))
}
