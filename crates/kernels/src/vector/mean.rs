//! The mean.

/// `sum / n`, to the bit: for a power of two a multiplication gives the same result, in less time.
#[inline(always)]
pub(crate) fn mean(sum: f32, n: usize) -> f32 {
    if n.is_power_of_two() && n < 1 << 24 {
        sum * f32::from_bits((127 - n.trailing_zeros()) << 23)
    } else {
        // Otherwise the compiler computes both results and selects one, and every mean waits for a division.
        core::hint::cold_path();
        sum / n as f32
    }
}

#[cfg(test)]
mod tests {
    /// Means of every kind of sum, over every possible number of values.
    #[test]
    fn a_mean_is_the_quotient() {
        let mut state = 1u64;
        for i in 0..2_000_000usize {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let (sum, n) =
                (f32::from_bits((state >> 32) as u32), if i % 2 == 0 { 1 << (i % 30) } else { i % 5000 + 1 });
            let (ours, exact) = (super::mean(sum, n), sum / n as f32);
            let same = ours.to_bits() == exact.to_bits() || (ours.is_nan() && exact.is_nan());
            assert!(same, "{sum:e} / {n} = {ours:e}, not {exact:e}");
        }
    }
}
