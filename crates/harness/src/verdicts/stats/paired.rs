//! Statistics of pairs: the median of their ratios, with its interval.
//!
//! Both sides of a pair ran consecutively, so a slow machine slowed both. The statistic is the median of the logarithms
//! of the ratios, which is robust against one disturbed run, and its interval is a percentile bootstrap over whole
//! pairs (Efron 1979), which does not assume a normal distribution.

use super::quantile;
use crate::verdicts::stats::random::SplitMix;
use serde::{Deserialize, Serialize};

/// Number of bootstrap resamples.
pub const RESAMPLES: usize = 10_000;
/// The fraction of resamples inside the interval.
pub const CONFIDENCE: f64 = 0.95;

/// The ratio of the second side to the first, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// Number of pairs.
    pub pairs: usize,
    /// Lower end of the interval.
    pub low: f64,
    /// Median.
    pub middle: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Ratio {
    /// Estimates the ratio `b / a` of pairs `(a, b)`; `None` for an empty set or one with a value that is not finite
    /// and above zero, because no statistic of such a set is meaningful.
    pub fn of(pairs: &[(f64, f64)], seed: u64) -> Option<Self> {
        Ratio::resampled(pairs, RESAMPLES, seed)
    }

    fn resampled(pairs: &[(f64, f64)], resamples: usize, seed: u64) -> Option<Self> {
        let usable = |value: f64| value.is_finite() && value > 0.0;
        if pairs.is_empty() || !pairs.iter().all(|&(a, b)| usable(a) && usable(b)) {
            return None;
        }
        let mut logs: Vec<f64> = pairs.iter().map(|&(a, b)| (b / a).ln()).collect();
        logs.sort_by(f64::total_cmp);
        let mut medians = resampled_medians(&logs, resamples, seed);
        medians.sort_by(f64::total_cmp);
        let tail = (1.0 - CONFIDENCE) / 2.0;
        Some(Ratio {
            pairs: pairs.len(),
            low: quantile(&medians, tail).exp(),
            middle: quantile(&logs, 0.5).exp(),
            high: quantile(&medians, 1.0 - tail).exp(),
        })
    }

    /// The largest distance of the interval's ends from no difference, as a logarithm.
    pub fn reach(&self) -> f64 {
        self.low.ln().abs().max(self.high.ln().abs())
    }
}

/// Medians of resamples of the same size, drawn with replacement.
///
/// The values are sorted, so a resample is a count per value, and its median is found by counting.
fn resampled_medians(sorted: &[f64], resamples: usize, seed: u64) -> Vec<f64> {
    let n = sorted.len();
    let mut random = SplitMix::new(seed);
    let mut drawn = vec![0_usize; n];
    let mut medians = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        drawn.fill(0);
        for _ in 0..n {
            drawn[random.below(n)] += 1;
        }
        // The two middle values; the same one if n is odd.
        let (lower, upper) = ((n - 1) / 2, n / 2);
        let mut middle = [f64::NAN; 2];
        let mut before = 0;
        for (value, count) in sorted.iter().zip(&drawn) {
            let places = before..before + count;
            if places.contains(&lower) {
                middle[0] = *value;
            }
            if places.contains(&upper) {
                middle[1] = *value;
                break;
            }
            before += count;
        }
        medians.push((middle[0] + middle[1]) / 2.0);
    }
    medians
}

#[cfg(test)]
mod tests {
    use super::{Ratio, resampled_medians};
    use crate::verdicts::stats::random::SplitMix;

    /// A run's time: 1 ms with one-sided noise, as interruptions cause, and a long outlier now and then.
    fn time(random: &mut SplitMix) -> f64 {
        let uniform = |random: &mut SplitMix| (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        let noise = -(1.0 - uniform(random)).ln() * 0.02;
        let interrupted = if uniform(random) < 0.05 { 0.5 } else { 0.0 };
        1e6 * (1.0 + noise + interrupted)
    }

    /// Pairs whose second side takes `ratio` times as long, on a machine that slows down throughout.
    fn session(pairs: usize, ratio: f64, random: &mut SplitMix) -> Vec<(f64, f64)> {
        let drift = |pair: usize| 1.0 + 0.3 * pair as f64 / pairs as f64;
        (0..pairs).map(|pair| (drift(pair) * time(random), ratio * drift(pair) * time(random))).collect()
    }

    #[test]
    fn a_constant_ratio_is_found_exactly() {
        let ratio = Ratio::of(&[(100.0, 110.0), (200.0, 220.0), (50.0, 55.0)], 1).unwrap();
        assert!([ratio.low, ratio.middle, ratio.high].iter().all(|value| (value - 1.1).abs() < 1e-12), "{ratio:?}");
    }

    #[test]
    fn a_set_that_means_nothing_gives_nothing() {
        assert_eq!(Ratio::of(&[], 1), None);
        for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert_eq!(Ratio::of(&[(1.0, 1.0), (1.0, bad)], 1), None);
            assert_eq!(Ratio::of(&[(bad, 1.0)], 1), None);
        }
    }

    #[test]
    fn the_same_pairs_give_the_same_interval() {
        let pairs = session(20, 1.0, &mut SplitMix::new(5));
        assert_eq!(Ratio::of(&pairs, 7), Ratio::of(&pairs, 7));
        let swapped: Vec<(f64, f64)> = pairs.iter().map(|&(a, b)| (b, a)).collect();
        let (there, back) = (Ratio::of(&pairs, 7).unwrap(), Ratio::of(&swapped, 7).unwrap());
        assert!((there.middle * back.middle - 1.0).abs() < 1e-12);
    }

    #[test]
    fn medians_by_counting_are_medians() {
        // A resample of two values has both, or one twice: its median is one of three values, 1 : 2 : 1.
        let medians = resampled_medians(&[1.0, 3.0], 4000, 9);
        let share = |value: f64| medians.iter().filter(|median| **median == value).count() as f64 / 4000.0;
        assert!((share(1.0) - 0.25).abs() < 0.03 && (share(2.0) - 0.5).abs() < 0.03, "{} {}", share(1.0), share(2.0));
        assert!(resampled_medians(&[4.0], 10, 9).iter().all(|median| *median == 4.0));
        let odd = resampled_medians(&[1.0, 2.0, 3.0], 100, 9);
        assert!(odd.iter().all(|median| [1.0, 2.0, 3.0].contains(median)));
    }

    #[test]
    fn the_interval_holds_the_truth_about_95_times_in_100() {
        let mut random = SplitMix::new(11);
        for (pairs, truth) in [(20, 1.0), (20, 1.05), (41, 0.9)] {
            let sessions = 1500;
            let held = (0..sessions).filter(|_| {
                let pairs = session(pairs, truth, &mut random);
                let ratio = Ratio::resampled(&pairs, 1000, random.bits()).unwrap();
                (ratio.low..=ratio.high).contains(&truth)
            });
            let share = held.count() as f64 / f64::from(sessions);
            assert!((0.925..=0.975).contains(&share), "{pairs} pairs, ratio {truth}: {share}");
        }
    }
}
