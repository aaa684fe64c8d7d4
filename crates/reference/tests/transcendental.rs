//! Errors of the canonical exp, sigmoid and silu relative to the exact functions, over all of f32.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_reference::canonical::primitives::{exp, sigmoid, silu};
use std::ops::RangeInclusive;
use std::thread;

/// Largest errors found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Worst {
    /// In units in the last place of the exact result, if that is a normal number.
    ulps: f64,
    /// In units of the smallest subnormal, 2^-149, elsewhere.
    tiny: f64,
}

impl Worst {
    fn and(self, other: Worst) -> Worst {
        Worst { ulps: self.ulps.max(other.ulps), tiny: self.tiny.max(other.tiny) }
    }

    /// Records `got` for `exact`. A result that is NaN, or infinite on one side only, has an infinite error.
    fn note(&mut self, got: f32, exact: f64, relative: bool) {
        // Half a step above the largest finite number rounds to infinity.
        let overflows = exact >= 2.0_f64.powi(128) - 2.0_f64.powi(103);
        if overflows && got == f32::INFINITY {
            return;
        }
        let error = (f64::from(got) - exact).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if relative && exact.abs() >= f64::from(f32::MIN_POSITIVE) {
            // The power of two below `exact`, by its bits.
            let binade = f64::from_bits(exact.abs().to_bits() & !((1 << 52) - 1));
            self.ulps = self.ulps.max(error / binade * 2.0_f64.powi(23));
        } else {
            self.tiny = self.tiny.max(error * 2.0_f64.powi(149));
        }
    }
}

/// The errors of exp, sigmoid and silu over every `stride`th bit pattern of a range.
fn measure(bits: RangeInclusive<u32>, stride: usize) -> [Worst; 3] {
    let [mut of_exp, mut of_sigmoid, mut of_silu] = [Worst::default(); 3];
    for bits in bits.step_by(stride) {
        let x = f32::from_bits(bits);
        if x.is_nan() {
            assert!(exp(x).is_nan() && sigmoid(x).is_nan() && silu(x).is_nan(), "{bits:08x}");
            continue;
        }
        let wide = f64::from(x);
        let denominator = 1.0 + (-wide).exp();
        of_exp.note(exp(x), wide.exp(), true);
        of_sigmoid.note(sigmoid(x), 1.0 / denominator, true);
        if x != f32::NEG_INFINITY {
            // Below -87 the exponential is subnormal and silu inherits its coarse steps.
            of_silu.note(silu(x), wide / denominator, x >= -87.0);
        }
    }
    [of_exp, of_sigmoid, of_silu]
}

/// Bounds that hold over all 2^32 inputs; the sampled test uses the same ones. The largest errors are:
///
/// | | ulp of a normal result | units of 2^-149 elsewhere |
/// |---|---|---|
/// | exp | 0.967 | 0.751 |
/// | sigmoid | 2.402 | 0.751 |
/// | silu | 3.194 | 96.81 (below -87, where silu is above -1.5e-36) |
fn assert_bounds([of_exp, of_sigmoid, of_silu]: [Worst; 3]) {
    assert!(of_exp.ulps < 0.97 && of_exp.tiny < 0.76, "exp: {of_exp:?}");
    assert!(of_sigmoid.ulps < 2.41 && of_sigmoid.tiny < 0.76, "sigmoid: {of_sigmoid:?}");
    assert!(of_silu.ulps < 3.20 && of_silu.tiny < 97.0, "silu: {of_silu:?}");
}

#[test]
fn errors_are_within_bounds_at_every_997th_input() {
    assert_bounds(measure(0..=u32::MAX, 997));
}

#[test]
#[ignore = "minutes: all 2^32 inputs"]
fn errors_are_within_bounds_at_every_input() {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(256) as u32;
    let part = u32::MAX / threads;
    let worst = thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|i| {
                let last = if i + 1 == threads { u32::MAX } else { (i + 1) * part - 1 };
                scope.spawn(move || measure(i * part..=last, 1))
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).reduce(|a, b| [0, 1, 2].map(|f| a[f].and(b[f]))).unwrap()
    });
    assert_bounds(worst);
}

#[test]
fn special_values() {
    assert_eq!([exp(0.0), exp(-0.0), exp(f32::INFINITY), exp(f32::NEG_INFINITY)], [1.0, 1.0, f32::INFINITY, 0.0]);
    assert_eq!([exp(88.72), exp(88.73)].map(f32::is_infinite), [false, true]);
    assert_eq!([exp(-103.9), exp(-104.0)].map(f32::to_bits), [1, 0]);
    assert_eq!([sigmoid(0.0), sigmoid(f32::INFINITY), sigmoid(f32::NEG_INFINITY)], [0.5, 1.0, 0.0]);
    assert_eq!([silu(0.0), silu(f32::INFINITY), silu(-200.0)], [0.0, f32::INFINITY, 0.0]);
    // -∞ · 0: the limit is 0, the canonical product is not.
    assert!(silu(f32::NEG_INFINITY).is_nan());
}
