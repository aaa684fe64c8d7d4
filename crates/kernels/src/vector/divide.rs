//! Division, on CPUs with and without a divide instruction.

/// `a / b`, rounded to nearest, ties to even.
#[cfg(not(target_arch = "xtensa"))]
#[inline(always)]
pub(crate) fn divide(a: f32, b: f32) -> f32 {
    a / b
}

#[cfg(target_arch = "xtensa")]
pub(crate) use soft::divide;

/// `sum / n`, to the bit: for a power of two a multiplication gives the same result, in a third of the time.
#[inline(always)]
pub(crate) fn mean(sum: f32, n: usize) -> f32 {
    if n.is_power_of_two() && n < 1 << 24 {
        sum * f32::from_bits((127 - n.trailing_zeros()) << 23)
    } else {
        divide(sum, n as f32)
    }
}

/// Division by multiplications: the compiler's own is a call that computes the quotient bit by bit.
#[cfg(any(target_arch = "xtensa", test))]
mod soft {
    /// Bits of a float below its exponent.
    const FRACTION: u32 = 0x007f_ffff;
    /// The bit that a normal float has above its fraction.
    const LEADING: u32 = 0x0080_0000;
    /// The bits of 1.0.
    const ONE: u32 = 0x3f80_0000;

    /// `a / b`, rounded to nearest, ties to even.
    ///
    /// The significands are integers `N` and `D` of 24 bits, with `N` doubled if it is smaller than `D`, so that the
    /// quotient is in `[1, 2)` and its significand is `N · 2^23 / D`. [`estimate`] has an error below 1.7, so the
    /// remainder `N · 2^23 - Q · D` is less than `2 D` and fits its low 32 bits. Two steps bring it within half of `D`,
    /// and thus `Q` to the nearest integer. It is never exactly half: `N · 2^24 = (2 Q + 1) · D` would make `D` a
    /// multiple of `2^24`.
    #[inline(always)]
    pub(crate) fn divide(a: f32, b: f32) -> f32 {
        let (a_bits, b_bits) = (a.to_bits(), b.to_bits());
        let (a_exponent, b_exponent) = (a_bits >> 23 & 0xff, b_bits >> 23 & 0xff);
        let (mut n, d) = (a_bits & FRACTION | LEADING, b_bits & FRACTION | LEADING);
        let (mut dividend, divisor) =
            (f32::from_bits(a_bits & FRACTION | ONE), f32::from_bits(b_bits & FRACTION | ONE));
        // The exponent field before `Q` is added, whose leading bit adds 1.
        let mut exponent = a_exponent.wrapping_sub(b_exponent).wrapping_add(126);
        if n < d {
            n *= 2;
            dividend *= 2.0;
            exponent = exponent.wrapping_sub(1);
        }
        // If an operand or the quotient is not normal and finite, the compiler's division is used.
        if a_exponent.wrapping_sub(1) >= 254 || b_exponent.wrapping_sub(1) >= 254 || exponent >= 253 {
            return a / b;
        }
        let q = estimate(dividend, divisor).to_bits().wrapping_sub(ONE - LEADING);
        let remainder = (n << 23).wrapping_sub(q.wrapping_mul(d));
        // The position of twice the remainder among -3 D, -D, D and 3 D, from the signs of the differences.
        let (above, below) = (d.wrapping_sub(remainder.wrapping_mul(2)), remainder.wrapping_mul(2).wrapping_add(d));
        let up = (above >> 31) + (above.wrapping_add(2 * d) >> 31);
        let down = (below >> 31) + (below.wrapping_add(2 * d) >> 31);
        let q = q.wrapping_add(up).wrapping_sub(down);
        f32::from_bits((a_bits ^ b_bits) & 0x8000_0000 | (exponent << 23).wrapping_add(q))
    }

    /// `n / d`, with an error below 1.7 · 2^-23, for `d` in `[1, 2)` and `n` in `[d, 2 d)`.
    ///
    /// The quadratic's relative error is the third Chebyshev polynomial over 99, so at most 0.0101; a step of Newton's
    /// iteration squares it, and another, on the quotient, squares it again, which leaves 0.2 · 2^-23; the roundings of
    /// `d · q` and of the sum add at most 1 and 0.5. `n - d · q` is exact.
    #[inline(always)]
    fn estimate(n: f32, d: f32) -> f32 {
        const C: [f32; 3] = [210.0 / 99.0, -144.0 / 99.0, 32.0 / 99.0];
        let y = (C[2] * d + C[1]) * d + C[0];
        let y = y + y * (1.0 - d * y);
        let q = n * y;
        let q = q + y * (n - d * q);
        // Below 1, the last bit of a float has half the value.
        if q < 1.0 { 1.0 } else { q }
    }
}

#[cfg(test)]
mod tests {
    use super::soft::divide;

    fn check(a: f32, b: f32) {
        let (ours, exact) = (divide(a, b), a / b);
        let same = ours.to_bits() == exact.to_bits() || (ours.is_nan() && exact.is_nan());
        assert!(same, "{a:e} / {b:e} = {ours:e}, not {exact:e}");
    }

    /// All divisors of a sigmoid, with both of its dividends and the extremes.
    #[test]
    fn every_divisor_from_1_to_2() {
        for bits in 1f32.to_bits()..=2f32.to_bits() {
            let d = f32::from_bits(bits);
            for a in [1.0, d - 1.0, f32::from_bits(bits - 1), 1.999_999_9] {
                check(a, d);
            }
        }
    }

    /// Quotients close to the midpoint of two floats: `a` is the product of `b` and such a midpoint, rounded.
    #[test]
    fn quotients_near_the_middle() {
        let mut state = 1u64;
        for _ in 0..1_000_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let b = f32::from_bits(1f32.to_bits() | (state >> 41) as u32);
            let middle = 1.0 + (((state >> 18) & 0x007f_ffff) as f64 + 0.5) / 8_388_608.0;
            let a = (f64::from(b) * middle) as f32;
            for a in [a, a.next_up(), a.next_down()] {
                check(a, b);
                check(-a, b * 1e-30);
            }
        }
    }

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

    /// Operands of every kind, including zeros, subnormals, infinities and NaNs.
    #[test]
    fn operands_of_any_bits() {
        let edges = [0, 1, 0x007f_ffff, 0x0080_0000, 0x3f80_0000, 0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000];
        let mut state = 1u64;
        for i in 0..2_000_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let (a, b) = ((state >> 32) as u32, (state >> 11) as u32);
            check(f32::from_bits(a), f32::from_bits(b));
            let edge = edges[i % edges.len()];
            check(f32::from_bits(a), f32::from_bits(edge));
            check(f32::from_bits(edge), f32::from_bits(b));
        }
        for a in edges {
            for b in edges {
                for (a, b) in [(a, b), (a | 1 << 31, b), (a, b | 1 << 31)] {
                    check(f32::from_bits(a), f32::from_bits(b));
                }
            }
        }
    }
}
