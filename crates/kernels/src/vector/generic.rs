//! The f32 steps of `crates/ARITHMETIC.md`, one value at a time.

use super::constants::{EPS, INT8_MAX, INT15_MAX, LANES, ROUND, ROUND_BITS, TINY};
use super::mean::mean;
use super::operands::{GatedInput, MixInput, NormInput, WkvInput};

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

/// `sum16` of `term` over the values of slices of one length.
///
/// Eight of the sixteen sums at a time: they stay in registers, and each is added in the order of the definition.
macro_rules! sum16 {
    ([$first:ident $(, $other:ident)*], |$a:pat_param $(, $b:pat_param)*| $term:expr) => {{
        let _n = $first.len();
        let $first = $first.as_chunks::<{ $crate::vector::LANES }>();
        $(let $other = $other[.._n].as_chunks::<{ $crate::vector::LANES }>();)*
        let mut lanes = [0.0f32; $crate::vector::LANES];
        for (half, lanes) in lanes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let mut sums = [0.0f32; 8];
            for i in 0..$first.0.len() {
                for l in 0..8 {
                    let $a = $first.0[i][8 * half + l];
                    $(let $b = $other.0[i][8 * half + l];)*
                    sums[l] += $term;
                }
            }
            *lanes = sums;
        }
        for l in 0..$first.1.len() {
            let $a = $first.1[l];
            $(let $b = $other.1[l];)*
            lanes[l] += $term;
        }
        $crate::vector::generic::fold16(lanes)
    }};
}
pub(crate) use sum16;

/// `out_i = value` for each `i`, from `out_i` itself and the `i`-th values of slices of the same length: eight per
/// step, to share the loop overhead.
macro_rules! each {
    ($out:ident, [$($input:ident),*], |$old:pat_param $(, $a:pat_param)*| $value:expr) => {{
        $(let $input = $input[..$out.len()].as_chunks::<8>();)*
        let (chunks, tail) = $out.as_chunks_mut::<8>();
        for (_i, chunk) in chunks.iter_mut().enumerate() {
            for l in 0..8 {
                let $old = chunk[l];
                $(let $a = $input.0[_i][l];)*
                chunk[l] = $value;
            }
        }
        for (_l, out) in tail.iter_mut().enumerate() {
            let $old = *out;
            $(let $a = $input.1[_l];)*
            *out = $value;
        }
    }};
}

/// [`each!`] and [`sum16!`] of `term` over the new values, in one pass.
macro_rules! each_and_sum16 {
    ($out:ident, [$($input:ident),*], |$old:pat_param $(, $a:pat_param)*| $value:expr, |$new:ident| $term:expr) => {{
        $(let $input = $input[..$out.len()].as_chunks::<LANES>();)*
        let (chunks, tail) = $out.as_chunks_mut::<LANES>();
        let mut lanes = [0.0f32; LANES];
        for (half, lanes) in lanes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let mut sums = [0.0f32; 8];
            for (_i, chunk) in chunks.iter_mut().enumerate() {
                for l in 0..8 {
                    let $old = chunk[8 * half + l];
                    $(let $a = $input.0[_i][8 * half + l];)*
                    let $new = $value;
                    chunk[8 * half + l] = $new;
                    sums[l] += $term;
                }
            }
            *lanes = sums;
        }
        for (l, out) in tail.iter_mut().enumerate() {
            let $old = *out;
            $(let $a = $input.1[l];)*
            let $new = $value;
            *out = $new;
            lanes[l] += $term;
        }
        fold16(lanes)
    }};
}

/// The fixed tree at the end of every reduction.
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
    let (mu, inv) = moments(x, sum16!([x], |x| x));
    each!(out, [x, weight, bias], |_, x, weight, bias| (x - mu) * inv * weight + bias);
}

/// The mean, and the factor of the deviations from it, of values with this sum.
fn moments(x: &[f32], sum: f32) -> (f32, f32) {
    let mu = mean(sum, x.len());
    let squares = sum16!([x], |x| {
        let d = x - mu;
        d * d
    });
    let variance = mean(squares, x.len());
    // If the variance overflows, the output must not consist only of the biases.
    (mu, 1.0 / libm::sqrtf(variance + EPS) + variance * 0.0)
}

pub(crate) fn mix(z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]) {
    each!(out, [z, p, mu], |_, z, p, mu| z + (p - z) * mu);
}

pub(crate) fn quantise_int8(y: &[f32], q: &mut [i8]) -> f32 {
    quantise_with(y, sum16!([y], |y| y.abs()), q)
}

/// [`quantise_int8`] of values whose magnitudes have this sum.
fn quantise_with(y: &[f32], sum: f32, q: &mut [i8]) -> f32 {
    let t = max(TINY, 2.5 * mean(sum, y.len()));
    let s = INT8_MAX / t;
    if t < f32::INFINITY && y.len() < 1 << 16 {
        // Every |y| is at most n times the mean and none is NaN, so clamping after rounding gives the same result; and
        // integers have instructions for it.
        each!(q, [y], |_, y| round(y * s).clamp(-INT8_MAX as i32, INT8_MAX as i32) as i8);
    } else {
        each!(q, [y], |_, y| round(min(max(y * s, -INT8_MAX), INT8_MAX)) as i8);
    }
    t / INT8_MAX
}

/// [`mix`], and the sum of its values. Not generic, so that it is compiled with this crate's options.
fn mix_and_sum(z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]) -> f32 {
    each_and_sum16!(out, [z, p, mu], |_, z, p, mu| z + (p - z) * mu, |mixed| mixed)
}

pub(crate) fn mix_inputs<const N: usize>(
    z: &[f32],
    p: &[f32],
    mixes: [MixInput<'_>; N],
    room: &mut [f32],
    q: [&mut [i8]; N],
) -> [f32; N] {
    let (mut scales, room) = ([0.0; N], &mut room[..z.len()]);
    for ((MixInput { mu, norm }, q), scale) in mixes.into_iter().zip(q).zip(&mut scales) {
        let sum = mix_and_sum(z, p, mu, room);
        *scale = normed_input(room, sum, norm, q);
    }
    scales
}

pub(crate) fn relu_squared_input(k: &[f32], norm: NormInput<'_>, room: &mut [f32], q: &mut [i8]) -> f32 {
    let room = &mut room[..k.len()];
    let squared = |k| {
        let h = max(0.0, k);
        h * h
    };
    let sum = each_and_sum16!(room, [k], |_, k| squared(k), |h| h);
    normed_input(room, sum, norm, q)
}

pub(crate) fn gated_input(input: GatedInput<'_>, y: &mut [f32], room: &mut [f32], q: &mut [i8]) -> f32 {
    let GatedInput { x, head_size, group_norm, g, norm } = input;
    let heads = x.chunks_exact(head_size).zip(y.chunks_exact_mut(head_size));
    let parameters = group_norm.weight.chunks_exact(head_size).zip(group_norm.bias.chunks_exact(head_size));
    for ((x, y), (weight, bias)) in heads.zip(parameters) {
        layer_norm(x, weight, bias, y);
    }
    silu_gate(y, g);
    let room = &mut room[..y.len()];
    let sum = each_and_sum16!(room, [y], |_, gated| gated, |copied| copied);
    normed_input(room, sum, norm, q)
}

/// Quantises the norm of `x`, whose sum is `sum`, into `q`; returns the scale.
fn normed_input(x: &mut [f32], sum: f32, norm: NormInput<'_>, q: &mut [i8]) -> f32 {
    let ((mu, inv), NormInput { weight, bias }) = (moments(x, sum), norm);
    let sum = each_and_sum16!(x, [weight, bias], |x, weight, bias| (x - mu) * inv * weight + bias, |y| y.abs());
    quantise_with(x, sum, q)
}

/// The largest `|x_i|`; 0 if there is none. Magnitudes compare like their bits, and a NaN is the largest of those.
pub(crate) fn largest_magnitude(x: &[f32]) -> f32 {
    f32::from_bits(x.iter().map(|x| x.abs().to_bits()).max().unwrap_or(0))
}

pub(crate) fn quantise_15bit(z: &[f32], q: &mut [i16]) -> f32 {
    let t = max(TINY, largest_magnitude(z));
    let s = INT15_MAX / t;
    for (q, &z) in q.iter_mut().zip(z) {
        *q = round(min(max(z * s, -INT15_MAX), INT15_MAX)) as i16;
    }
    t / INT15_MAX
}

pub(crate) fn wkv(head_size: usize, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
    let states = state.chunks_exact_mut(head_size * head_size);
    for (h, (state, y)) in states.zip(y.chunks_exact_mut(head_size)).enumerate() {
        wkv_head(input.head(h * head_size, head_size), state, y);
    }
}

/// Four columns of the state at a time: their sums and values stay in registers while `i` iterates over the rows.
fn wkv_head(input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
    let WkvInput { r, k, v, decay, bonus } = input;
    let s = y.len();
    let now = bonus_sum(r, k, bonus);
    let (y_fours, y_rest) = y.as_chunks_mut::<4>();
    let (v_fours, v_rest) = v.as_chunks::<4>();
    for ((j, y), v) in y_fours.iter_mut().enumerate().zip(v_fours) {
        let mut sums = [0.0f32; 4];
        for (((row, &r), &k), &w) in state.chunks_exact_mut(s).zip(r).zip(k).zip(decay) {
            let a = &mut row.as_chunks_mut::<4>().0[j];
            for l in 0..4 {
                sums[l] += r * a[l];
                a[l] = w * a[l] + k * v[l];
            }
        }
        for l in 0..4 {
            y[l] = sums[l] + now * v[l];
        }
    }
    let rest = s - y_rest.len();
    for ((j, y), &v) in (rest..).zip(y_rest).zip(v_rest) {
        let mut sum = 0.0;
        for (((row, &r), &k), &w) in state.chunks_exact_mut(s).zip(r).zip(k).zip(decay) {
            sum += r * row[j];
            row[j] = w * row[j] + k * v;
        }
        *y = sum + now * v;
    }
}

/// `Σ_i (r_i · b_i) · k_i`: the weight of `v` for the current token.
#[inline(always)]
fn bonus_sum(r: &[f32], k: &[f32], bonus: &[f32]) -> f32 {
    sum16!([r, bonus, k], |r, bonus, k| r * bonus * k)
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
    each!(k, [], |k| {
        let h = max(0.0, k);
        h * h
    });
}

pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    each!(x, [y], |x, y| x + y);
}

pub(crate) fn exp(x: &mut [f32]) {
    for x in x {
        *x = exp1(*x);
    }
}

pub(crate) fn argmax(logits: &[f32]) -> u32 {
    let (mut best, mut at) = (f32::NEG_INFINITY, None);
    for (i, &logit) in logits.iter().enumerate() {
        // No value is greater than -∞, so its first occurrence counts as well.
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

pub(crate) fn strided_maxima(x: &[f32], scale: f32, step: usize, maxima: &mut [f32]) {
    maxima.fill(f32::NEG_INFINITY);
    for row in x.chunks(maxima.len()).step_by(step) {
        for (maximum, &x) in maxima.iter_mut().zip(row) {
            *maximum = max(x * scale, *maximum);
        }
    }
}

pub(crate) fn not_below(x: &[f32], scale: f32, floor: f32, found: &mut [u32]) -> usize {
    let mut n = 0;
    for (i, &x) in (0..).zip(x) {
        let below = x * scale < floor;
        if !below {
            found[n] = i;
            n += 1;
        }
    }
    n
}

pub(crate) fn read(bytes: &[u8]) -> f32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0u64, |sum, &word| sum.wrapping_add(u64::from_le_bytes(word)));
    rest.iter().fold(sum, |sum, &byte| sum.wrapping_add(u64::from(byte))) as f32
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp1(-x.abs());
    let numerator = if x >= 0.0 { 1.0 } else { e };
    numerator / (1.0 + e)
}

/// `exp` of one value.
#[inline(always)]
pub(crate) fn exp1(x: f32) -> f32 {
    use super::constants::exp::{C, LN2_HIGH, LN2_LOW, LOG2_E, MAX, MIN};
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
    // In two steps, because 2^n alone may not be representable.
    let half = n >> 1;
    y * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}
