//! The two passes over all logits that find the few candidates for the largest ones, over a vector of 16 lanes.
//!
//! What is compared is `x · scale`, the product that is ranked in the end: distinct logits may have one product, so
//! that a bound on the logits themselves would need care at every tie.

use super::constants::LANES;
use super::lanes::{Lanes, split};

#[inline(always)]
pub(crate) fn strided_maxima<L: Lanes>(isa: L::Isa, x: &[f32], scale: f32, step: usize, maxima: &mut [f32]) {
    maxima.fill(f32::NEG_INFINITY);
    let scales = L::splat(isa, scale);
    for row in x.chunks(maxima.len()).step_by(step) {
        let (chunks, tail) = split(row);
        let (of_chunks, _) = maxima.as_chunks_mut::<LANES>();
        for (maximum, x) in of_chunks.iter_mut().zip(chunks) {
            // A NaN leaves the maximum as it is.
            L::load(isa, x).mul(scales).max(L::load(isa, maximum)).store(maximum);
        }
        for (maximum, &x) in maxima[chunks.len() * LANES..].iter_mut().zip(tail) {
            let product = x * scale;
            *maximum = if product > *maximum { product } else { *maximum };
        }
    }
}

/// Few are found as a rule, so that 64 values at a time are asked whether there is any among them.
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
