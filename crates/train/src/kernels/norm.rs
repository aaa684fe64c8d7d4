//! Layer norm and its gradient; a group norm is the same with several groups per row.

use super::{BLOCK, EPS, Real, dot, in_order, sum_of};
use rayon::prelude::*;

/// Mean and `1 / √(variance + ε)` of a group.
#[derive(Debug, Clone, Copy)]
pub struct Moments<T> {
    /// The mean.
    pub mean: T,
    /// `1 / √(variance + ε)`, the variance biased.
    pub inv: T,
}

impl<T: Real> Moments<T> {
    /// The moments of `x`.
    #[inline(always)]
    pub fn of(x: &[T]) -> Self {
        let n = T::of(x.len() as f64);
        let mean = sum_of(x, |x| x) / n;
        let variance = sum_of(x, |x| (x - mean) * (x - mean)) / n;
        Moments { mean, inv: T::one() / (variance + T::of(EPS)).sqrt() }
    }

    /// Computes the gradient of `x` from `x` and the gradient `dy` of `x̂·γ + β`, in place of `dy`; adds the gradients
    /// of `γ` and `β` to `dgamma` and `dbeta`.
    #[inline(always)]
    pub fn backward(self, x: &[T], gamma: &[T], dy: &mut [T], dgamma: &mut [T], dbeta: &mut [T], hat: &mut [T]) {
        let n = T::of(x.len() as f64);
        for (hat, &x) in hat.iter_mut().zip(x) {
            *hat = (x - self.mean) * self.inv;
        }
        for i in 0..x.len() {
            dgamma[i] += dy[i] * hat[i];
            dbeta[i] += dy[i];
            dy[i] *= gamma[i];
        }
        let mean = sum_of(dy, |d| d) / n;
        let along = dot(dy, hat) / n;
        for (d, &hat) in dy.iter_mut().zip(&*hat) {
            *d = self.inv * (*d - mean - hat * along);
        }
    }
}

/// Shape of a norm: rows of `width`, each in `groups` equal parts.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Values per row; γ and β have the same number.
    pub width: usize,
    /// Groups per row.
    pub groups: usize,
}

/// `x̂ · γ + β` of every row.
pub fn forward<T: Real>(shape: Shape, x: &[T], gamma: &[T], beta: &[T]) -> Vec<T> {
    let Shape { width, groups } = shape;
    let size = width / groups;
    let mut out = vec![T::zero(); x.len()];
    out.par_chunks_mut(BLOCK * width).zip(x.par_chunks(BLOCK * width)).for_each(|(out, x)| {
        for (i, (out, x)) in out.chunks_mut(size).zip(x.chunks(size)).enumerate() {
            let Moments { mean, inv } = Moments::of(x);
            let at = i % groups * size;
            let affine = gamma[at..][..size].iter().zip(&beta[at..][..size]);
            for ((out, &x), (&gamma, &beta)) in out.iter_mut().zip(x).zip(affine) {
                *out = (x - mean) * inv * gamma + beta;
            }
        }
    });
    out
}

/// Gradients of `x`, `γ` and `β`.
pub fn backward<T: Real>(shape: Shape, x: &[T], gamma: &[T], mut dy: Vec<T>) -> [Vec<T>; 3] {
    let Shape { width, groups } = shape;
    let size = width / groups;
    let blocks = dy.par_chunks_mut(BLOCK * width).zip(x.par_chunks(BLOCK * width));
    let partial = blocks.map(|(dy, x)| {
        let [mut dgamma, mut dbeta, mut hat] = [width, width, size].map(|n| vec![T::zero(); n]);
        for (i, (dy, x)) in dy.chunks_mut(size).zip(x.chunks(size)).enumerate() {
            let at = i % groups * size..(i % groups + 1) * size;
            let (dgamma, dbeta) = (&mut dgamma[at.clone()], &mut dbeta[at.clone()]);
            Moments::of(x).backward(x, &gamma[at], dy, dgamma, dbeta, &mut hat);
        }
        [dgamma, dbeta]
    });
    let [dgamma, dbeta] = in_order(partial.collect());
    [dy, dgamma, dbeta]
}
