//! The f32 steps as `crates/ARITHMETIC.md` writes them, one value at a time.

use super::{EPS, INT8_MAX, INT15_MAX, LANES, ROUND, ROUND_BITS, TINY};
use crate::WkvInput;

#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The nearest integer to `x`, ties to even; `|x| < 2^22`.
#[inline(always)]
fn round(x: f32) -> i32 {
    ((x + ROUND).to_bits() as i32).wrapping_sub(ROUND_BITS)
}

/// `sum16` of `term(0) … term(n - 1)`.
///
/// One lane after the other: the lane's sum stays in a register on a CPU that has few, and each lane adds in the
/// order that the definition asks for.
#[inline(always)]
pub(crate) fn sum16(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (l, lane) in lanes.iter_mut().enumerate() {
        let mut sum = 0.0;
        let mut i = l;
        while i < n {
            sum += term(i);
            i += LANES;
        }
        *lane = sum;
    }
    fold16(lanes)
}

/// The fixed tree that ends every reduction.
#[inline(always)]
pub(crate) fn fold16(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

pub(crate) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let n = x.len() as f32;
    let mean = sum16(x.len(), |i| x[i]) / n;
    for (d, &x) in out.iter_mut().zip(x) {
        *d = x - mean;
    }
    let d = &*out;
    let variance = sum16(d.len(), |i| d[i] * d[i]) / n;
    let inv = 1.0 / libm::sqrtf(variance + EPS);
    for ((y, &weight), &bias) in out.iter_mut().zip(weight).zip(bias) {
        *y = *y * inv * weight + bias;
    }
}

pub(crate) fn mix(z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]) {
    for (((out, &z), &p), &mu) in out.iter_mut().zip(z).zip(p).zip(mu) {
        *out = z + (p - z) * mu;
    }
}

pub(crate) fn quantise_int8(y: &[f32], q: &mut [i8]) -> f32 {
    let mean = sum16(y.len(), |i| y[i].abs()) / y.len() as f32;
    let t = max(TINY, 2.5 * mean);
    let s = INT8_MAX / t;
    for (q, &y) in q.iter_mut().zip(y) {
        *q = round(min(max(y * s, -INT8_MAX), INT8_MAX)) as i8;
    }
    t / INT8_MAX
}

pub(crate) fn quantise_15bit(z: &[f32], q: &mut [i16]) -> f32 {
    // Magnitudes compare as their bits do, and there a NaN is the largest.
    let largest = z.iter().map(|z| z.abs().to_bits()).max().unwrap_or(0);
    let t = max(TINY, f32::from_bits(largest));
    let s = INT15_MAX / t;
    for (q, &z) in q.iter_mut().zip(z) {
        *q = round(min(max(z * s, -INT15_MAX), INT15_MAX)) as i16;
    }
    t / INT15_MAX
}

pub(crate) fn wkv(input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
    let WkvInput { r, k, v, decay, bonus } = input;
    y.fill(0.0);
    for (i, row) in state.chunks_exact_mut(r.len()).enumerate() {
        let (r, k, w) = (r[i], k[i], decay[i]);
        for ((a, y), &v) in row.iter_mut().zip(y.iter_mut()).zip(v) {
            *y += r * *a;
            *a = w * *a + k * v;
        }
    }
    let now = bonus_sum(r, k, bonus);
    for (y, &v) in y.iter_mut().zip(v) {
        *y += now * v;
    }
}

/// `Σ_i (r_i · b_i) · k_i`: how much of `v` the current token adds.
#[inline(always)]
pub(crate) fn bonus_sum(r: &[f32], k: &[f32], bonus: &[f32]) -> f32 {
    sum16(r.len(), |i| r[i] * bonus[i] * k[i])
}

pub(crate) fn silu_gate(o: &mut [f32], g: &[f32]) {
    for (o, &g) in o.iter_mut().zip(g) {
        *o *= g * sigmoid(g);
    }
}

pub(crate) fn sigmoid_gate_add(x: &mut [f32], r: &[f32], v: &[f32]) {
    for ((x, &r), &v) in x.iter_mut().zip(r).zip(v) {
        *x += sigmoid(r) * v;
    }
}

pub(crate) fn relu_squared(k: &mut [f32]) {
    for k in k {
        let h = max(0.0, *k);
        *k = h * h;
    }
}

pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

pub(crate) fn exp(x: &mut [f32]) {
    for x in x {
        *x = exp1(*x);
    }
}

pub(crate) fn argmax(logits: &[f32]) -> u32 {
    let (mut best, mut at) = (f32::NEG_INFINITY, None);
    for (i, &logit) in logits.iter().enumerate() {
        // Nothing is above -∞, so that the first of those counts as well.
        if logit > best || (at.is_none() && logit == best) {
            (best, at) = (logit, Some(i));
        }
    }
    at.unwrap_or(0) as u32
}

pub(crate) fn next_block(values: &[f32], from: usize, mark: f32) -> usize {
    let rest = values.get(from..).unwrap_or_default();
    let place = rest.iter().position(|&value| value >= mark);
    place.map_or(values.len(), |place| from + place / LANES * LANES)
}

pub(crate) fn read(bytes: &[u8]) -> f32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0u64, |sum, &word| sum.wrapping_add(u64::from_le_bytes(word)));
    rest.iter().fold(sum, |sum, &byte| sum.wrapping_add(u64::from(byte))) as f32
}

fn sigmoid(x: f32) -> f32 {
    let e = exp1(-x.abs());
    let numerator = if x >= 0.0 { 1.0 } else { e };
    numerator / (1.0 + e)
}

/// `exp` of one value.
pub(crate) fn exp1(x: f32) -> f32 {
    use super::exp::{C, LN2_HIGH, LN2_LOW, LOG2_E, MAX, MIN};
    let x = min(MAX, max(MIN, x));
    let t = x * LOG2_E + ROUND;
    let n = (t.to_bits() as i32).wrapping_sub(ROUND_BITS);
    let m = t - ROUND;
    let r = (x - m * LN2_HIGH) - m * LN2_LOW;
    let mut p = C[0];
    for c in &C[1..] {
        p = p * r + c;
    }
    let y = p * (r * r) + r + 1.0;
    // In two steps, because 2^n alone may lie outside what a float can hold.
    let half = n >> 1;
    y * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}
