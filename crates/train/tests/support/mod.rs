//! Finite differences.
#![allow(dead_code, reason = "each test program uses some of it")]

use bitstate_train::ops::{self, Tensor};

/// `n` numbers of about unit size, from `seed`.
pub fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..n).map(|_| (0..4).map(|_| uniform()).sum::<f64>() * 1.7 - 3.4).collect()
}

/// Checks the gradients of `f` at some point by finite differences of `f` itself.
pub fn check_gradients(shapes: &[&[usize]], seed: u64, f: impl Fn(&[Tensor]) -> Tensor) {
    let values: Vec<Vec<f64>> =
        shapes.iter().zip(0..).map(|(s, i)| numbers(s.iter().product(), seed * 100 + i)).collect();
    let leaves = |values: &[Vec<f64>], track| -> Vec<Tensor> {
        values.iter().zip(shapes).map(|(v, shape)| ops::leaf(v.clone(), shape, track)).collect()
    };
    let tracked = leaves(&values, true);
    let y = f(&tracked);
    compare(&tracked, y, &values, |values| ops::values(&f(&leaves(values, false))));
}

/// Compares the gradients of `y` with finite differences of `f`, which computes the same from `values`.
pub fn compare(leaves: &[Tensor], y: Tensor, values: &[Vec<f64>], f: impl Fn(&[Vec<f64>]) -> Vec<f64>) {
    let cotangent = numbers(ops::values::<f64>(&y).len(), 77);
    let gradients = ops::gradients_along::<f64>(y, &cotangent, leaves);
    let along = |values: &[Vec<f64>]| -> f64 { f(values).iter().zip(&cotangent).map(|(y, c)| y * c).sum() };
    for (which, gradient) in gradients.iter().enumerate() {
        // A few dozen of the values, evenly spread.
        let stride = (gradient.len() / 40).max(1);
        let checked: Vec<usize> = (0..gradient.len()).step_by(stride).collect();
        let by_difference: Vec<f64> = checked
            .iter()
            .map(|&at| {
                let moved = |by: f64| {
                    let mut values = values.to_vec();
                    values[which][at] += by;
                    along(&values)
                };
                (moved(1e-5) - moved(-1e-5)) / 2e-5
            })
            .collect();
        let ours: Vec<f64> = checked.iter().map(|&at| gradient[at]).collect();
        close(&ours, &by_difference, 1e-6, &format!("gradient of input {which}"));
        assert!(ours.iter().any(|g| *g != 0.0), "the gradient of input {which} is zero throughout");
    }
}

/// Checks that two lists agree to `tolerance` of the larger one's largest value.
pub fn close(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let size = theirs.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance * size, "{what} {i}: {a} against {b}, at a size of {size}");
    }
}
