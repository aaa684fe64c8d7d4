//! BitLinear with the token shift in front of it: everything but the matrix products.
//!
//! | forward | backward |
//! |---|---|
//! | `m = z + (p - z)·μ`, `p` the row before, zeros at the start | `dz`, `dμ` |
//! | `n = layer_norm(m; γ, β)` | `dm`, `dγ`, `dβ` |
//! | `t = max(2.5·mean|n|, 1e-8)`, `a = t/127`, `q = round(clip(n/a, ±127))` | `dn = a·dq` inside the clip, 0 outside |
//! | `s = mean|w|`, `W = round(clip(w/s, ±1))` | `dw = s·dW`, straight through |
//! | `y = (q·Wᵀ)·(s·a)` | `dq`, `dW` by two matrix products |
//!
//! `round` is straight-through; the clip of the activations has its true gradient, zero outside, and `a` and `s` are
//! constants to it. `q` and `W` are small integers in floats, so their product is exact and is the integer that the
//! engine computes. Without quantisation (`quantise = false`) `q = n`, `a = 1`, `W = w`, `s = 1`: an ordinary linear
//! layer behind a norm, whose gradients finite differences can check.

use super::norm::Moments;
use super::{BLOCK, Real, in_order, sum_of};
use rayon::prelude::*;

/// The rows that a BitLinear processes.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// Values per row.
    pub width: usize,
    /// Rows per sequence: the first of each has no previous row.
    pub seq_len: usize,
    /// Whether activations become INT8 and weights ternary.
    pub quantise: bool,
}

/// The parameters applied to a row before the matrix.
#[derive(Debug, Clone, Copy)]
pub struct RowParams<'a, T> {
    /// Token shift, if the layer has one.
    pub mu: Option<&'a [T]>,
    /// Norm weight.
    pub gamma: &'a [T],
    /// Norm bias.
    pub beta: &'a [T],
}

/// Quantised activations for the matrix product.
#[derive(Debug, Clone)]
pub struct Quantised<T> {
    /// `q`, as many values as the input.
    pub q: Vec<T>,
    /// `a` of each row.
    pub a: Vec<T>,
}

/// Scale and inverse scale of a row's INT8 values.
#[inline(always)]
fn scales<T: Real>(n: &[T]) -> (T, T) {
    let mean = sum_of(n, |n| n.abs()) / T::of(n.len() as f64);
    let t = (T::of(2.5) * mean).max(T::of(1e-8));
    (t / T::of(127.0), T::of(127.0) / t)
}

impl Rows {
    /// Row `row` of `z` after the token shift.
    #[inline(always)]
    fn shift<T: Real>(self, z: &[T], row: usize, mu: Option<&[T]>, out: &mut [T]) {
        let now = &z[row * self.width..][..self.width];
        let Some(mu) = mu else { return out.copy_from_slice(now) };
        if row.is_multiple_of(self.seq_len) {
            for (out, (&z, &mu)) in out.iter_mut().zip(now.iter().zip(mu)) {
                *out = z - z * mu;
            }
        } else {
            let before = &z[(row - 1) * self.width..][..self.width];
            for (out, ((&z, &p), &mu)) in out.iter_mut().zip(now.iter().zip(before).zip(mu)) {
                *out = z + (p - z) * mu;
            }
        }
    }

    /// `z` → `q` and `a`.
    pub fn forward<T: Real>(self, z: &[T], params: RowParams<'_, T>) -> Quantised<T> {
        let width = self.width;
        let mut q = vec![T::zero(); z.len()];
        let mut a = vec![T::one(); z.len() / width];
        q.par_chunks_mut(BLOCK * width).zip(a.par_chunks_mut(BLOCK)).enumerate().for_each(|(block, (q, a))| {
            let mut mixed = vec![T::zero(); width];
            for (i, (q, a)) in q.chunks_mut(width).zip(a).enumerate() {
                self.shift(z, block * BLOCK + i, params.mu, &mut mixed);
                let Moments { mean, inv } = Moments::of(&mixed);
                for i in 0..width {
                    q[i] = (mixed[i] - mean) * inv * params.gamma[i] + params.beta[i];
                }
                if self.quantise {
                    let (scale, inverse) = scales(q);
                    *a = scale;
                    for q in q.iter_mut() {
                        *q = (*q * inverse).max(T::of(-127.0)).min(T::of(127.0)).round_even();
                    }
                }
            }
        });
        Quantised { q, a }
    }

    /// The gradient `dx` of `x = q·a` → those of `z`, `γ`, `β` and, where there is one, `μ`.
    pub fn backward<T: Real>(self, z: &[T], params: RowParams<'_, T>, mut dx: Vec<T>) -> ([Vec<T>; 3], Option<Vec<T>>) {
        let width = self.width;
        // dx → dm in place, with each block's gradients of γ, β and μ.
        let partial = dx.par_chunks_mut(BLOCK * width).enumerate().map(|(block, dx)| {
            let [mut dgamma, mut dbeta, mut dmu, mut mixed, mut hat] = [(); 5].map(|()| vec![T::zero(); width]);
            for (i, dx) in dx.chunks_mut(width).enumerate() {
                let row = block * BLOCK + i;
                self.shift(z, row, params.mu, &mut mixed);
                let moments = Moments::of(&mixed);
                if self.quantise {
                    for i in 0..width {
                        hat[i] = (mixed[i] - moments.mean) * moments.inv * params.gamma[i] + params.beta[i];
                    }
                    let inverse = scales(&hat).1;
                    for (dx, &n) in dx.iter_mut().zip(&hat) {
                        *dx = if (n * inverse).abs() > T::of(127.0) { T::zero() } else { *dx };
                    }
                }
                moments.backward(&mixed, params.gamma, dx, &mut dgamma, &mut dbeta, &mut hat);
                if params.mu.is_some() {
                    let first = row.is_multiple_of(self.seq_len);
                    for i in 0..width {
                        let at = row * width + i;
                        let before = if first { T::zero() } else { z[at - width] };
                        dmu[i] += dx[i] * (before - z[at]);
                    }
                }
            }
            [dgamma, dbeta, dmu]
        });
        let [dgamma, dbeta, dmu] = in_order(partial.collect());
        let Some(mu) = params.mu else { return ([dx, dgamma, dbeta], None) };
        ([self.unshift(&dx, mu), dgamma, dbeta], Some(dmu))
    }

    /// The gradient of the token shift: a row contributes `1 - μ` to itself and `μ` to the next row.
    fn unshift<T: Real>(self, dm: &[T], mu: &[T]) -> Vec<T> {
        let width = self.width;
        let mut dz = vec![T::zero(); dm.len()];
        dz.par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, dz)| {
            for (i, dz) in dz.chunks_mut(width).enumerate() {
                let row = block * BLOCK + i;
                let own = &dm[row * width..][..width];
                for (dz, (&d, &mu)) in dz.iter_mut().zip(own.iter().zip(mu)) {
                    *dz = d - d * mu;
                }
                if !(row + 1).is_multiple_of(self.seq_len) {
                    let behind = &dm[(row + 1) * width..][..width];
                    for (dz, (&d, &mu)) in dz.iter_mut().zip(behind.iter().zip(mu)) {
                        *dz += d * mu;
                    }
                }
            }
        });
        dz
    }
}

/// `W` in {-1, 0, 1} and `s`, of a matrix `w`.
pub fn ternary<T: Real>(w: &[T]) -> (Vec<T>, T) {
    let partial: Vec<[Vec<T>; 1]> = w.par_chunks(1 << 14).map(|w| [vec![sum_of(w, |w| w.abs())]]).collect();
    let mean = in_order(partial)[0][0] / T::of(w.len() as f64);
    let s = mean.max(T::of(1e-8));
    let inverse = T::one() / s;
    let one = T::one();
    (w.par_iter().map(|&w| (w * inverse).max(-one).min(one).round_even()).collect(), s)
}

/// Multiplies row `i` of `x` with `s · a_i`.
pub fn scale_rows<T: Real>(x: &mut [T], a: &[T], s: T) {
    let width = x.len() / a.len();
    x.par_chunks_mut(BLOCK * width).zip(a.par_chunks(BLOCK)).for_each(|(x, a)| {
        for (x, &a) in x.chunks_mut(width).zip(a) {
            let scale = s * a;
            x.iter_mut().for_each(|x| *x *= scale);
        }
    });
}

/// Rows of `width` as INT8 with a scale `max|e| / 127` each, and back: the values that the engine reads from a file.
pub fn int8_rows<T: Real>(rows: &[T], width: usize) -> Vec<T> {
    let limit = T::of(127.0);
    let mut out = rows.to_vec();
    out.par_chunks_mut(width).for_each(|row| {
        let scale = row.iter().fold(T::zero(), |max, e| max.max(e.abs())) / limit;
        if scale > T::zero() {
            row.iter_mut().for_each(|e| *e = (*e / scale).max(-limit).min(limit).round_even() * scale);
        }
    });
    out
}
