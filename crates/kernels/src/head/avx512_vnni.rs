//! The head with AVX-512 and VNNI.

use super::avx2;
use super::coarse::{self, Block, Coarse, CoarseRows, Columns};
use super::dpbusd::{self, Dpbusd};
use crate::isa::Avx512Vnni;
use core::arch::x86_64::*;

pub(crate) use crate::vector::avx512_vnni::dot_rows as float;

/// Made only by a function that was given an [`Avx512Vnni`].
#[derive(Clone, Copy)]
struct Whole(__m512i);

/// Runs an intrinsic that needs AVX-512 with VNNI alone.
macro_rules! avx512 {
    ($body:expr) => {{
        // SAFETY: a `Whole` or an `Avx512Vnni` is at hand, so the CPU has the instructions; the pointers come from
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

/// The two halves of a register, added.
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
    /// Those of the low halves, and 16 times those of the high halves: a mask is all that takes them apart.
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

coarse::entry!(Avx512Vnni, Whole, 2, 2, "avx2,avx512f,avx512bw,avx512vl,avx512vnni");
