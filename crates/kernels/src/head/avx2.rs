//! The head with AVX2: INT8 widened to 16 bits, `madd` on pairs of columns, four rows at a time.

use super::generic::dot;
use crate::isa::Avx2;
use core::arch::x86_64::*;

pub(crate) use crate::vector::avx2::dot_rows as float;

pub(crate) fn int8(isa: Avx2, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(isa: Avx2, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        let d = q.len();
        let (fours, scale_fours) = (rows.chunks_exact(4 * d), row_scales.chunks_exact(4));
        let left = (fours.remainder(), scale_fours.remainder());
        let mut logit_fours = logits.chunks_exact_mut(4);
        for ((rows, row_scales), logits) in fours.zip(scale_fours).zip(&mut logit_fours) {
            let sums = four_rows(isa, rows, q);
            // SAFETY: the token proves AVX2; every slice here has four values.
            unsafe {
                let scales = _mm_mul_ps(_mm_loadu_ps(row_scales.as_ptr()), _mm_set1_ps(scale));
                _mm_storeu_ps(logits.as_mut_ptr(), _mm_mul_ps(_mm_cvtepi32_ps(sums), scales));
            }
        }
        super::generic::int8(left.0, left.1, q, scale, logit_fours.into_remainder());
    }
    // SAFETY: the token proves AVX2.
    unsafe { compiled(isa, rows, row_scales, q, scale, logits) }
}

/// The sums of four rows, `rows` being `4 · q.len()` values.
#[inline(always)]
fn four_rows(_: Avx2, rows: &[i8], q: &[i16]) -> __m128i {
    let d = q.len();
    let (whole, tail) = q.as_chunks::<16>();
    // SAFETY: the token proves AVX2; every load of row `r` lies at `r · d + i` with `i + 16 <= d`.
    let sums = unsafe {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (i, q) in whole.iter().enumerate() {
            let q = _mm256_loadu_si256(q.as_ptr().cast());
            for (r, sum) in sums.iter_mut().enumerate() {
                let e = _mm256_cvtepi8_epi16(_mm_loadu_si128(rows.as_ptr().add(r * d + 16 * i).cast()));
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(e, q));
            }
        }
        // Two rounds of pairwise sums leave the four rows' sums side by side, once in each half.
        let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
        _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs))
    };
    if tail.is_empty() {
        return sums;
    }
    let of = |r: usize| dot(&rows[(r + 1) * d - tail.len()..][..tail.len()], tail);
    // SAFETY: the token proves AVX2.
    unsafe { _mm_add_epi32(sums, _mm_setr_epi32(of(0), of(1), of(2), of(3))) }
}
