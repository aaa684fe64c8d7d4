//! The INT8 head with `madd`: rows and activations as 16 bits, pairs of products added into 32 bits.

use super::generic;

/// 32-bit sums of an instruction set that has `madd`.
pub(super) trait Madd: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;

    fn zero(isa: Self::Isa) -> Self;
    /// Adds the products of 16 columns, in any lanes.
    fn dot(self, e: &[i8; 16], q: &[i16; 16]) -> Self;
    /// The sum of the lanes of each of four rows.
    fn sum4(rows: [Self; 4]) -> [i32; 4];
}

/// `logits = (rows · q) · (row_scales · scale)`, four rows at a time, so that each load of
/// activations serves four.
#[inline(always)]
pub(super) fn int8<M: Madd>(isa: M::Isa, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    let d = q.len();
    let (fours, scale_fours) = (rows.chunks_exact(4 * d), row_scales.chunks_exact(4));
    let left = (fours.remainder(), scale_fours.remainder());
    let mut logit_fours = logits.chunks_exact_mut(4);
    for ((rows, row_scales), logits) in fours.zip(scale_fours).zip(&mut logit_fours) {
        let dots = dot4::<M>(isa, [&rows[..d], &rows[d..2 * d], &rows[2 * d..3 * d], &rows[3 * d..]], q);
        for i in 0..4 {
            logits[i] = dots[i] as f32 * (row_scales[i] * scale);
        }
    }
    generic::int8(left.0, left.1, q, scale, logit_fours.into_remainder());
}

/// `rows · q` of the rows that `tokens` name.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "relaxed_simd"))]
#[inline(always)]
pub(super) fn exact<M: Madd>(isa: M::Isa, rows: &[i8], tokens: &[u32], q: &[i16], dots: &mut [i32]) {
    for (tokens, dots) in tokens.chunks(4).zip(dots.chunks_mut(4)) {
        let four = dot4::<M>(isa, super::shape::rows4(rows, tokens, q.len()), q);
        dots.copy_from_slice(&four[..dots.len()]);
    }
}

/// `rows · q`.
#[inline(always)]
fn dot4<M: Madd>(isa: M::Isa, [a, b, c, e]: [&[i8]; 4], q: &[i16]) -> [i32; 4] {
    let (whole, tail) = q.as_chunks::<16>();
    let (chunks_a, last_a) = a.as_chunks::<16>();
    let (chunks_b, last_b) = b.as_chunks::<16>();
    let (chunks_c, last_c) = c.as_chunks::<16>();
    let (chunks_e, last_e) = e.as_chunks::<16>();
    let mut sums = [M::zero(isa); 4];
    for ((((q, a), b), c), e) in whole.iter().zip(chunks_a).zip(chunks_b).zip(chunks_c).zip(chunks_e) {
        sums = [sums[0].dot(a, q), sums[1].dot(b, q), sums[2].dot(c, q), sums[3].dot(e, q)];
    }
    let mut dots = M::sum4(sums);
    if !tail.is_empty() {
        for (dot, last) in dots.iter_mut().zip([last_a, last_b, last_c, last_e]) {
            *dot += generic::dot(last, tail);
        }
    }
    dots
}
