//! Statistics of a set of samples: median and spread, without assuming a normal distribution.

pub mod paired;
pub mod random;
pub mod verdict;

use serde::{Deserialize, Serialize};

/// Five-number summary and deviation of the samples of one quantity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Number of samples.
    pub samples: usize,
    /// Smallest sample.
    pub min: f64,
    /// First quartile.
    pub q1: f64,
    /// Median.
    pub median: f64,
    /// Third quartile.
    pub q3: f64,
    /// Largest sample.
    pub max: f64,
    /// Median absolute deviation from the median.
    pub mad: f64,
}

impl Summary {
    /// Summarises samples; `None` for an empty set or one with a value that is not finite, because no statistic of such
    /// a set is meaningful.
    pub fn of(samples: &[f64]) -> Option<Self> {
        if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
            return None;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = quantile(&sorted, 0.5);
        let mut distances: Vec<f64> = sorted.iter().map(|sample| (sample - median).abs()).collect();
        distances.sort_by(f64::total_cmp);
        Some(Summary {
            samples: sorted.len(),
            min: sorted[0],
            q1: quantile(&sorted, 0.25),
            median,
            q3: quantile(&sorted, 0.75),
            max: sorted[sorted.len() - 1],
            mad: quantile(&distances, 0.5),
        })
    }

    /// Interquartile range relative to the median; 0 if the median is 0.
    pub fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.q3 - self.q1) / self.median.abs() }
    }
}

/// A quantile of the sorted samples, interpolated linearly.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn five_numbers_of_known_sets() {
        let odd = Summary::of(&[3.0, 1.0, 2.0, 5.0, 4.0]).unwrap();
        assert_eq!((odd.min, odd.q1, odd.median, odd.q3, odd.max, odd.mad), (1.0, 2.0, 3.0, 4.0, 5.0, 1.0));
        let even = Summary::of(&[4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!((even.q1, even.median, even.q3), (1.75, 2.5, 3.25));
        let one = Summary::of(&[7.0]).unwrap();
        assert_eq!((one.min, one.median, one.max, one.mad, one.spread()), (7.0, 7.0, 7.0, 0.0, 0.0));
    }

    #[test]
    fn an_outlier_moves_neither_median_nor_deviation_far() {
        let calm = Summary::of(&[10.0, 10.1, 9.9, 10.0, 10.0]).unwrap();
        let shaken = Summary::of(&[10.0, 10.1, 9.9, 10.0, 500.0]).unwrap();
        assert!((calm.median - shaken.median).abs() < 0.1 && shaken.mad <= 0.1);
    }

    #[test]
    fn nothing_is_said_about_no_samples_or_about_nan() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[1.0, f64::NAN]), None);
        assert_eq!(Summary::of(&[1.0, f64::INFINITY]), None);
    }
}
