//! AVX2: `maddubs` on unsigned codes, 32 rows a pass.
//!
//! A 16-bit lane takes at most `2 · 2 · 127 = 508` from a `maddubs`, so 64 of them (16 blocks, 256 columns) fit
//! before the sums must be widened to 32 bits.

use super::blocks::{Block, Blocks};
use crate::isa::Avx2;
use core::arch::x86_64::*;

/// Blocks whose sums fit 16-bit lanes.
const WIDEN: usize = 16;

/// `q` is padded to whole blocks.
pub(super) fn matvec(isa: Avx2, blocks: &Blocks, q: &[i8], scale: f32, y: &mut [f32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(isa: Avx2, blocks: &Blocks, q: &[i8], scale: f32, y: &mut [f32]) {
        let surplus = -q.iter().map(|&q| i32::from(q)).sum::<i32>();
        let mut groups = blocks.row_groups();
        let mut passes = y.chunks_mut(32);
        while let (Some(first), Some(y)) = (groups.next(), passes.next()) {
            match groups.next() {
                Some(second) => write(pass(isa, [first, second], q, surplus), scale, y),
                None => write(pass(isa, [first], q, surplus), scale, y),
            }
        }
    }
    // SAFETY: the token proves AVX2.
    unsafe { compiled(isa, blocks, q, scale, y) }
}

/// The sums of `16 · N` rows, eight to a register.
#[inline(always)]
fn pass<const N: usize>(_: Avx2, groups: [&[Block]; N], q: &[i8], surplus: i32) -> [[__m256i; 2]; N] {
    let (quads, _) = q.as_chunks::<4>();
    let (quads, _) = quads.as_chunks::<4>();
    // SAFETY: the token proves AVX2; the loads read halves of a block, which is 64 bytes aligned to 64.
    unsafe {
        let (two_bits, ones) = (_mm256_set1_epi8(3), _mm256_set1_epi16(1));
        let mut sums = [[_mm256_set1_epi32(surplus); 2]; N];
        for (part, quads) in quads.chunks(WIDEN).enumerate() {
            let mut narrow = [[_mm256_setzero_si256(); 2]; N];
            for (i, activations) in quads.iter().enumerate() {
                let [x0, x1, x2, x3] =
                    activations.map(|four| _mm256_set1_epi32(i32::from_le_bytes(four.map(|q| q as u8))));
                for (group, narrow) in groups.iter().zip(&mut narrow) {
                    let block: *const __m256i = group[part * WIDEN + i].0.as_ptr().cast();
                    for (half, narrow) in narrow.iter_mut().enumerate() {
                        let codes = _mm256_load_si256(block.add(half));
                        let c0 = _mm256_and_si256(codes, two_bits);
                        let c1 = _mm256_and_si256(_mm256_srli_epi16::<2>(codes), two_bits);
                        let c2 = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), two_bits);
                        let c3 = _mm256_and_si256(_mm256_srli_epi16::<6>(codes), two_bits);
                        let low = _mm256_add_epi16(_mm256_maddubs_epi16(c0, x0), _mm256_maddubs_epi16(c1, x1));
                        let high = _mm256_add_epi16(_mm256_maddubs_epi16(c2, x2), _mm256_maddubs_epi16(c3, x3));
                        *narrow = _mm256_add_epi16(*narrow, _mm256_add_epi16(low, high));
                    }
                }
            }
            for (sums, narrow) in sums.iter_mut().flatten().zip(narrow.iter().flatten()) {
                *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(*narrow, ones));
            }
        }
        sums
    }
}

/// Scales the sums into `y`, which may end before the padded rows do.
#[inline(always)]
fn write<const N: usize>(sums: [[__m256i; 2]; N], scale: f32, y: &mut [f32]) {
    for (sums, y) in sums.into_iter().flatten().zip(y.chunks_mut(8)) {
        // SAFETY: sums exist only where AVX2 does; a whole chunk of `y` is 8 values, the array too.
        unsafe {
            let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale));
            if y.len() == 8 {
                _mm256_storeu_ps(y.as_mut_ptr(), scaled);
            } else {
                let mut last = [0.0f32; 8];
                _mm256_storeu_ps(last.as_mut_ptr(), scaled);
                y.copy_from_slice(&last[..y.len()]);
            }
        }
    }
}
