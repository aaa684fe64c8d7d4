//! The model's steps that have their own backward pass, on plain rows of numbers.
//!
//! A tensor library's elementwise steps each read and write the whole activation, so such a step is bound by memory.
//! Here a row is read once, processed by everything that BitLinear (or a norm, or a gate) does with it, and written
//! once. Rows run in parallel; sums over rows are computed per block of [`BLOCK`] rows and then added in order, so that
//! a result does not depend on thread scheduling.
//!
//! Every function is generic over [`Real`]: training runs in f32, the tests compare gradients with finite differences
//! in f64.

pub mod bit_linear;
pub mod dropout;
pub mod gates;
pub mod loss;
pub mod norm;
pub mod wkv;

use rayon::prelude::*;
use std::fmt::Debug;
use std::iter::Sum;

/// f32 or f64.
pub trait Real:
    num_traits::Float + burn_backend::Element + bytemuck::Pod + Sum + std::ops::AddAssign + std::ops::MulAssign + Debug
{
    /// 1.5 · 2^mantissa bits: adding and subtracting it rounds to the nearest integer, ties to even.
    const ROUND: Self;

    /// An f64 constant.
    fn of(value: f64) -> Self;

    /// Rounds to the nearest integer, ties to even; correct for values far below [`ROUND`](Real::ROUND).
    #[inline(always)]
    fn round_even(self) -> Self {
        (self + Self::ROUND) - Self::ROUND
    }
}

impl Real for f32 {
    const ROUND: f32 = 12_582_912.0;
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }
}

impl Real for f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }
}

/// Rows per task.
pub const BLOCK: usize = 64;

/// Added to a variance before its root, as defined.
pub const EPS: f64 = 1e-5;

/// Accumulators of a sum: enough to fill the registers of any width.
const LANES: usize = 16;

/// `Σ f(x_i)`.
#[inline(always)]
pub fn sum_of<T: Real>(x: &[T], f: impl Fn(T) -> T) -> T {
    let mut lanes = [T::zero(); LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    lanes.into_iter().sum()
}

/// `Σ x_i · y_i`.
#[inline(always)]
pub fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::zero(); LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for ((lane, &x), &y) in lanes.iter_mut().zip(xs.remainder()).zip(ys.remainder()) {
        *lane += x * y;
    }
    for (xs, ys) in xs.zip(ys) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(xs).zip(ys) {
            *lane += x * y;
        }
    }
    lanes.into_iter().sum()
}

/// `y_i += a · x_i`.
#[inline(always)]
pub fn axpy<T: Real>(y: &mut [T], a: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// The sum of the partial sums of each block, in the order of the blocks.
pub fn in_order<T: Real, const N: usize>(partial: Vec<[Vec<T>; N]>) -> [Vec<T>; N] {
    let mut partial = partial.into_iter();
    let mut total = partial.next().unwrap_or_else(|| std::array::from_fn(|_| Vec::new()));
    for block in partial {
        for (total, block) in total.iter_mut().zip(block) {
            axpy(total, T::one(), &block);
        }
    }
    total
}

/// `out_i = f(x_i, y_i)`, in parallel.
pub fn zip_map<T: Real>(x: &[T], y: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    let mut out = vec![T::zero(); x.len()];
    let size = BLOCK * LANES * 4;
    out.par_chunks_mut(size).zip(x.par_chunks(size).zip(y.par_chunks(size))).for_each(|(out, (x, y))| {
        for (out, (&x, &y)) in out.iter_mut().zip(x.iter().zip(y)) {
            *out = f(x, y);
        }
    });
    out
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}
