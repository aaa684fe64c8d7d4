//! Searches among all logits over a vector of 16 lanes: for the largest, and, in two passes, for the few candidates for
//! the largest ones.
//!
//! The two passes compare `x · scale`, the product that is finally ranked: distinct logits may have the same product,
//! so a bound on the logits themselves would need special handling of every tie.

use super::constants::LANES;
use super::lanes::{Lanes, split, to_array};

#[inline(always)]
pub(crate) fn strided_maxima<L: Lanes>(isa: L::Isa, x: &[f32], scale: f32, step: usize, maxima: &mut [f32]) {
    maxima.fill(f32::NEG_INFINITY);
    let scales = L::splat(isa, scale);
    for row in x.chunks(maxima.len()).step_by(step) {
        let (chunks, tail) = split(row);
        let (of_chunks, _) = maxima.as_chunks_mut::<LANES>();
        for (maximum, x) in of_chunks.iter_mut().zip(chunks) {
            // A NaN leaves the maximum unchanged.
            L::load(isa, x).mul(scales).max(L::load(isa, maximum)).store(maximum);
        }
        for (maximum, &x) in maxima[chunks.len() * LANES..].iter_mut().zip(tail) {
            let product = x * scale;
            *maximum = if product > *maximum { product } else { *maximum };
        }
    }
}

/// Usually only a few are found, so 64 values at a time are first checked for any.
#[inline(always)]
pub(crate) fn not_below<L: Lanes>(isa: L::Isa, x: &[f32], scale: f32, floor: f32, found: &mut [u32]) -> usize {
    let (scales, floors) = (L::splat(isa, scale), L::splat(isa, floor));
    let (fours, rest) = x.as_chunks::<{ 4 * LANES }>();
    let (mut n, mut start) = (0, 0);
    for four in fours {
        let (chunks, _) = four.as_chunks::<LANES>();
        let mut mask = 0;
        for (i, chunk) in chunks.iter().enumerate() {
            mask |= u64::from(L::load(isa, chunk).mul(scales).not_below(floors)) << (i * LANES);
        }
        while mask != 0 {
            found[n] = start + mask.trailing_zeros();
            n += 1;
            mask &= mask - 1;
        }
        start += 4 * LANES as u32;
    }
    for (i, &x) in (start..).zip(rest) {
        let below = x * scale < floor;
        if !below {
            found[n] = i;
            n += 1;
        }
    }
    n
}

/// The index of the first of the largest values: the largest block by block, then its position within the block that
/// first had it.
#[inline(always)]
pub(crate) fn argmax<L: Lanes>(isa: L::Isa, logits: &[f32]) -> u32 {
    const BLOCK: usize = 1024;
    let (mut best, mut start) = (f32::NEG_INFINITY, 0);
    for (b, block) in logits.chunks(BLOCK).enumerate() {
        // Four vectors at a time: with one, each operation would wait for the previous one.
        let (fours, rest) = block.as_chunks::<{ 4 * LANES }>();
        let mut largest = [L::splat(isa, f32::NEG_INFINITY); 4];
        for four in fours {
            let (chunks, _) = four.as_chunks::<LANES>();
            for i in 0..4 {
                largest[i] = L::load(isa, &chunks[i]).max(largest[i]);
            }
        }
        let largest = to_array(largest[0].max(largest[1]).max(largest[2].max(largest[3])));
        let mut of_block = f32::NEG_INFINITY;
        for &value in largest.iter().chain(rest) {
            of_block = if value > of_block { value } else { of_block };
        }
        if of_block > best {
            (best, start) = (of_block, b * BLOCK);
        }
    }
    for (i, &logit) in logits[start..].iter().enumerate() {
        if logit == best {
            return (start + i) as u32;
        }
    }
    0
}

#[inline(always)]
pub(crate) fn next_block<L: Lanes>(isa: L::Isa, values: &[f32], from: usize, mark: f32) -> usize {
    let rest = values.get(from..).unwrap_or_default();
    let ((blocks, tail), lanes) = (split(rest), L::splat(isa, mark));
    for (i, block) in blocks.iter().enumerate() {
        if L::load(isa, block).any_at_least(lanes) {
            return from + i * LANES;
        }
    }
    for &value in tail {
        if value >= mark {
            return values.len() - tail.len();
        }
    }
    values.len()
}
