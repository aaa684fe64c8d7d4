//! NaN and infinite values are found, at every position and in every variant.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/variants.rs"]
mod variants;

use bitstate_kernels::{Int8Head, NotFinite};
use variants::variants;

const BAD: [f32; 4] = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
const LARGEST: [f32; 4] = [f32::MAX, f32::MIN, -0.0, 1e-45];

#[test]
fn the_first_value_that_is_no_number_is_named() {
    for kernels in variants() {
        for n in [0, 1, 2, 15, 16, 17, 31, 32, 33, 100] {
            let good: Vec<f32> = (0..n).map(|i| LARGEST[i % 4]).collect();
            assert_eq!(kernels.check_finite(&good), Ok(()), "{:?} {n}", kernels.variant());
            for (first, bad) in (0..n).flat_map(|first| BAD.map(|bad| (first, bad))) {
                let mut logits = good.clone();
                logits[first] = bad;
                logits[n - 1] = bad;
                let refused = Err(NotFinite { token: first as u32 });
                assert_eq!(kernels.check_finite(&logits), refused, "{:?} {n} {first} {bad}", kernels.variant());
            }
        }
    }
}

/// A scale for which all logits are declared finite keeps even the largest sum of products finite.
#[test]
fn a_scale_that_keeps_logits_finite_does() {
    const D: usize = 1024;
    let (rows, q) = ([-128i8; D].repeat(3), [-16_383; D]);
    for kernels in variants() {
        let (mut kept, mut overflowed) = (0, 0);
        for exponent in -140..128 {
            for row_scale in [1.0, -3e5, 1e-20] {
                let scale = 2f32.powi(exponent);
                let head = Int8Head::new(kernels, &rows, vec![1e-30, row_scale, 0.0]);
                let mut logits = [0.0; 3];
                head.logits(&q, scale, &mut logits);
                let finite = logits.iter().all(|logit| logit.is_finite());
                assert!(finite || !head.keeps_finite(scale), "{:?} {row_scale} {scale}", kernels.variant());
                kept += u32::from(head.keeps_finite(scale));
                overflowed += u32::from(!finite);
            }
        }
        assert!(kept > 500 && overflowed > 50, "{kept} {overflowed}");
        for scale in BAD {
            assert!(!Int8Head::new(kernels, &rows, vec![1.0; 3]).keeps_finite(scale));
            assert!(!Int8Head::new(kernels, &rows, vec![0.0, scale, 1.0]).keeps_finite(1.0));
        }
    }
}
