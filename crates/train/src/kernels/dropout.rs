//! Dropout, deterministic for a seed regardless of parallelism.

use super::{BLOCK, LANES, Real};
use rayon::prelude::*;

/// `x_i / (1 - share)`, or zero with probability `share`. The gradient is processed like the values.
pub fn dropout<T: Real>(share: f64, seed: u64, x: &[T]) -> Vec<T> {
    let size = BLOCK * LANES * 4;
    let scale = T::of(1.0 / (1.0 - share));
    // A 64-bit number is below this with probability `share`.
    let limit = (share * 2f64.powi(64)) as u64;
    let mut out = vec![T::zero(); x.len()];
    out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(|(block, (out, x))| {
        for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
            if mixed(seed, (block * size + i) as u64) >= limit {
                *out = x * scale;
            }
        }
    });
    out
}

/// A pseudo-random number for each pair: SplitMix64's step from `seed` by `i`.
pub fn mixed(seed: u64, i: u64) -> u64 {
    let z = seed.wrapping_add(i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::dropout;

    #[test]
    fn the_share_is_left_out_and_the_mean_stays() {
        let x = vec![1.0; 100_000];
        let y: Vec<f64> = dropout(0.2, 7, &x);
        let zeros = y.iter().filter(|y| **y == 0.0).count();
        assert!((19_000..21_000).contains(&zeros), "{zeros}");
        assert!(y.iter().all(|y| *y == 0.0 || (*y - 1.25).abs() < 1e-12));
        assert_eq!(y, dropout(0.2, 7, &x));
        assert_ne!(y, dropout(0.2, 8, &x));
    }
}
