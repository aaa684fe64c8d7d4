//! The elementwise steps between the matrices.

use super::norm::{self, Moments};
use super::{BLOCK, Real, in_order, sigmoid, zip_map};
use rayon::prelude::*;

/// The output of the time mix before its last matrix: `group_norm(y; γ, β) · silu(g)`.
pub fn norm_gate<T: Real>(shape: norm::Shape, y: &[T], g: &[T], gamma: &[T], beta: &[T]) -> Vec<T> {
    let normed = norm::forward(shape, y, gamma, beta);
    zip_map(&normed, g, |y, g| y * g * sigmoid(g))
}

/// Gradients of `y`, `g`, `γ` and `β`.
pub fn norm_gate_backward<T: Real>(shape: norm::Shape, [y, g, gamma, beta]: [&[T]; 4], mut d: Vec<T>) -> [Vec<T>; 4] {
    let norm::Shape { width, groups } = shape;
    let size = width / groups;
    let mut dg = vec![T::zero(); g.len()];
    let rows = BLOCK * width;
    let blocks = d.par_chunks_mut(rows).zip(dg.par_chunks_mut(rows)).zip(y.par_chunks(rows).zip(g.par_chunks(rows)));
    let partial = blocks.map(|((d, dg), (y, g))| {
        let [mut dgamma, mut dbeta, mut hat] = [width, width, size].map(|n| vec![T::zero(); n]);
        for (i, ((d, dg), (y, g))) in
            d.chunks_mut(size).zip(dg.chunks_mut(size)).zip(y.chunks(size).zip(g.chunks(size))).enumerate()
        {
            let at = i % groups * size..(i % groups + 1) * size;
            let (gamma, beta) = (&gamma[at.clone()], &beta[at.clone()]);
            let moments = Moments::of(y);
            for i in 0..size {
                let gate = sigmoid(g[i]);
                let normed = (y[i] - moments.mean) * moments.inv * gamma[i] + beta[i];
                dg[i] = d[i] * normed * gate * (T::one() + g[i] * (T::one() - gate));
                d[i] = d[i] * g[i] * gate;
            }
            moments.backward(y, gamma, d, &mut dgamma[at.clone()], &mut dbeta[at], &mut hat);
        }
        [dgamma, dbeta]
    });
    let [dgamma, dbeta] = in_order(partial.collect());
    [d, dg, dgamma, dbeta]
}

/// `max(0, k)²`.
pub fn squared_relu<T: Real>(k: &[T]) -> Vec<T> {
    zip_map(k, k, |k, _| k.max(T::zero()) * k.max(T::zero()))
}

/// The gradient of `k`.
pub fn squared_relu_backward<T: Real>(k: &[T], d: &[T]) -> Vec<T> {
    zip_map(k, d, |k, d| (k.max(T::zero()) + k.max(T::zero())) * d)
}

/// `sigmoid(r) · v`.
pub fn gate<T: Real>(r: &[T], v: &[T]) -> Vec<T> {
    zip_map(r, v, |r, v| sigmoid(r) * v)
}

/// Gradients of `r` and `v`.
pub fn gate_backward<T: Real>(r: &[T], v: &[T], d: &[T]) -> [Vec<T>; 2] {
    let dv = zip_map(r, d, |r, d| sigmoid(r) * d);
    let slope = zip_map(r, v, |r, v| sigmoid(r) * (T::one() - sigmoid(r)) * v);
    [zip_map(&slope, d, |slope, d| slope * d), dv]
}
