//! The f32 steps over a vector of 16 lanes: each algorithm once, for every instruction set with SIMD.
//!
//! A value of a [`Lanes`] type can only be created with the token that proves its instructions, so the value itself is
//! the proof for the operations on it. Everything here is `inline(always)`: it becomes part of the instruction set's
//! own entry function, which enables the instructions.

use super::constants::{EPS, INT8_MAX, INT15_MAX, LANES, ROUND, TINY};
use super::mean::mean;

// These have their own file.
pub(crate) use super::inputs::{gated_input, mix_inputs, relu_squared_input};
pub(crate) use super::select::{argmax, next_block, not_below, strided_maxima};
pub(crate) use super::wkv::wkv;

/// Sixteen f32 lanes.
pub(crate) trait Lanes: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;
    /// Number of registers for the lanes.
    const REGISTERS: usize;

    /// The square root of one value, with the instruction in the set's own encoding: an older encoding among newer ones
    /// stalls some CPUs for hundreds of cycles.
    fn sqrt(isa: Self::Isa, value: f32) -> f32;
    fn splat(isa: Self::Isa, value: f32) -> Self;
    fn load(isa: Self::Isa, from: &[f32; LANES]) -> Self;
    /// From 16 little-endian values at any alignment.
    fn load_bytes(isa: Self::Isa, from: &[u8; 4 * LANES]) -> Self;
    fn store(self, to: &mut [f32; LANES]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self > other ? self : other`.
    fn max(self, other: Self) -> Self;
    /// `self < other ? self : other`.
    fn min(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// Per lane, the operand with the larger magnitude by its bits.
    fn max_magnitude(self, other: Self) -> Self;
    /// Whether any lane is at least `mark`.
    fn any_at_least(self, mark: Self) -> bool;
    /// `self >= 0 ? yes : no`.
    fn select_not_negative(self, yes: Self, no: Self) -> Self;
    /// A bit mask of the lanes that are not below those of `other`, lane 0 the lowest bit; a NaN counts as not below.
    fn not_below(self, other: Self) -> u16;
    /// `(self · 2^h) · 2^(n - h)`, where `t = n + ROUND` and `h = n >> 1`.
    fn scale_by_power(self, t: Self) -> Self;
    /// Rounds to the nearest integers, ties to even; each within i8.
    fn round_to_i8(self, to: &mut [i8; LANES]);
    /// Rounds to the nearest integers, ties to even; each within i16.
    fn round_to_i16(self, to: &mut [i16; LANES]);
    /// The fixed tree over the lanes.
    fn sum(self) -> f32;
}

/// The entry functions of an instruction set: each shared algorithm over `$lanes`, compiled with `$features`.
macro_rules! entries {
    ($isa:ty, $lanes:ty, $features:literal) => {
        entries! { @each $isa, $lanes, $features,
            fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]);
            fn mix(z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]);
            fn quantise_int8(y: &[f32], q: &mut [i8]) -> f32;
            fn quantise_15bit(z: &[f32], q: &mut [i16]) -> f32;
            fn largest_magnitude(x: &[f32]) -> f32;
            fn wkv(head_size: usize, input: crate::WkvInput<'_>, state: &mut [f32], y: &mut [f32]);
            fn silu_gate(o: &mut [f32], g: &[f32]);
            fn sigmoid_gate_add(x: &mut [f32], r: &[f32], v: &[f32]);
            fn relu_squared(k: &mut [f32]);
            fn add(x: &mut [f32], y: &[f32]);
            fn mix_inputs<N>(
                z: &[f32], p: &[f32], mixes: [crate::MixInput<'_>; N], room: &mut [f32], q: [&mut [i8]; N]
            ) -> [f32; N];
            fn gated_input(input: crate::GatedInput<'_>, y: &mut [f32], room: &mut [f32], q: &mut [i8]) -> f32;
            fn relu_squared_input(k: &[f32], norm: crate::NormInput<'_>, room: &mut [f32], q: &mut [i8]) -> f32;
            fn exp(x: &mut [f32]);
            fn dot_rows(rows: &[u8], z: &[f32], logits: &mut [f32]);
            fn argmax(logits: &[f32]) -> u32;
            fn next_block(values: &[f32], from: usize, mark: f32) -> usize;
            fn strided_maxima(x: &[f32], scale: f32, step: usize, maxima: &mut [f32]);
            fn not_below(x: &[f32], scale: f32, floor: f32, found: &mut [u32]) -> usize;
            fn read(bytes: &[u8]) -> f32;
        }
    };
    (@each $isa:ty, $lanes:ty, $features:literal,
     $(fn $name:ident $(<$n:ident>)? ( $($arg:ident : $type:ty),* ) $(-> $result:ty)?;)*) => {$(
        #[inline(always)]
        pub(crate) fn $name $(<const $n: usize>)? (isa: impl Into<$isa>, $($arg: $type),*) $(-> $result)? {
            #[target_feature(enable = $features)]
            fn compiled $(<const $n: usize>)? (isa: $isa, $($arg: $type),*) $(-> $result)? {
                $crate::vector::lanes::$name::<$lanes $(, $n)?>(isa, $($arg),*)
            }
            // SAFETY: the token proves that the CPU has the features.
            #[allow(unused_unsafe, reason = "WebAssembly has no CPU without the features a module was accepted with")]
            unsafe { compiled(isa.into(), $($arg),*) }
        }
    )*};
}
pub(crate) use entries;

/// Splits a slice into whole vectors and the rest.
#[inline(always)]
pub(crate) fn split(x: &[f32]) -> (&[[f32; LANES]], &[f32]) {
    x.as_chunks()
}

/// The remaining values, padded with zeros.
#[inline(always)]
fn pad(tail: &[f32]) -> [f32; LANES] {
    let mut padded = [0.0; LANES];
    padded[..tail.len()].copy_from_slice(tail);
    padded
}

#[inline(always)]
pub(super) fn load_tail<L: Lanes>(isa: L::Isa, tail: &[f32]) -> L {
    L::load(isa, &pad(tail))
}

#[inline(always)]
pub(super) fn to_array<L: Lanes>(value: L) -> [f32; LANES] {
    let mut array = [0.0; LANES];
    value.store(&mut array);
    array
}

#[inline(always)]
fn store_tail<L: Lanes>(value: L, tail: &mut [f32]) {
    tail.copy_from_slice(&to_array(value)[..tail.len()]);
}

// The loops are macros, and nothing here is a closure: a closure is a function of its own, compiled without the
// instruction set if the compiler does not inline it.

/// `out_i = body(out_i, a_i, …)`: each name between the bars is a vector of 16 values, starting with `out`'s own.
macro_rules! zip_into {
    ($isa:expr, $L:ty, $out:expr, [$($input:ident),*], |$old:pat_param $(, $name:pat_param)*| $body:expr) => {{
        let out: &mut [f32] = $out;
        let (chunks, tail) = out.as_chunks_mut::<LANES>();
        $(let $input = split(&$input[..chunks.len() * LANES + tail.len()]);)*
        for (_i, chunk) in chunks.iter_mut().enumerate() {
            let $old = <$L>::load($isa, chunk);
            $(let $name = <$L>::load($isa, &$input.0[_i]);)*
            let new: $L = $body;
            new.store(chunk);
        }
        if !tail.is_empty() {
            let $old = load_tail::<$L>($isa, tail);
            $(let $name = load_tail::<$L>($isa, $input.1);)*
            let new: $L = $body;
            store_tail(new, tail);
        }
    }};
}

/// `sum16` of `body` over the lanes of `x`; `body` must map 0 to 0.
macro_rules! sum16 {
    ($isa:expr, $L:ty, $x:expr, |$value:pat_param| $body:expr) => {{
        let (chunks, tail) = split($x);
        let mut sums = <$L>::splat($isa, 0.0);
        for chunk in chunks {
            let $value = <$L>::load($isa, chunk);
            sums = sums.add($body);
        }
        if !tail.is_empty() {
            let $value = load_tail::<$L>($isa, tail);
            sums = sums.add($body);
        }
        sums.sum()
    }};
}

#[inline(always)]
pub(crate) fn layer_norm<L: Lanes>(isa: L::Isa, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let mu = L::splat(isa, mean(sum16!(isa, L, x, |x| x), x.len()));
    zip_into!(isa, L, out, [x], |_, x| x.sub(mu));
    let variance = mean(sum16!(isa, L, out, |d| d.mul(d)), x.len());
    let inv = L::splat(isa, inverse_deviation::<L>(isa, variance));
    zip_into!(isa, L, out, [weight, bias], |d, weight, bias| d.mul(inv).mul(weight).add(bias));
}

/// The factor of the deviations from a mean, from their variance. An overflow gives NaN: otherwise the output would
/// consist only of the biases.
#[inline(always)]
pub(super) fn inverse_deviation<L: Lanes>(isa: L::Isa, variance: f32) -> f32 {
    1.0 / L::sqrt(isa, variance + EPS) + variance * 0.0
}

#[inline(always)]
pub(crate) fn mix<L: Lanes>(isa: L::Isa, z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]) {
    zip_into!(isa, L, out, [z, p, mu], |_, z, p, mu| z.add(p.sub(z).mul(mu)));
}

#[inline(always)]
pub(crate) fn quantise_int8<L: Lanes>(isa: L::Isa, y: &[f32], q: &mut [i8]) -> f32 {
    let (scale, factor) = int8_scale(mean(sum16!(isa, L, y, |y| y.abs()), y.len()));
    let factor = L::splat(isa, factor);
    let ((chunks, tail), (q_chunks, q_tail)) = (split(y), q.as_chunks_mut::<LANES>());
    for (y, q) in chunks.iter().zip(q_chunks) {
        quantise_lanes(isa, L::load(isa, y), factor, q);
    }
    if !tail.is_empty() {
        let mut last = [0; LANES];
        quantise_lanes(isa, load_tail::<L>(isa, tail), factor, &mut last);
        q_tail.copy_from_slice(&last[..q_tail.len()]);
    }
    scale
}

/// The scale of an INT8 vector, and the factor for its values, from their mean magnitude.
#[inline(always)]
pub(super) fn int8_scale(mean: f32) -> (f32, f32) {
    let spread = 2.5 * mean;
    let t = if TINY > spread { TINY } else { spread };
    (t / INT8_MAX, INT8_MAX / t)
}

/// Sixteen INT8 values.
#[inline(always)]
pub(super) fn quantise_lanes<L: Lanes>(isa: L::Isa, y: L, factor: L, q: &mut [i8; LANES]) {
    let (low, high) = (L::splat(isa, -INT8_MAX), L::splat(isa, INT8_MAX));
    y.mul(factor).max(low).min(high).round_to_i8(q);
}

/// The largest `|x_i|`, compared as bits: a NaN is the largest.
#[inline(always)]
pub(crate) fn largest_magnitude<L: Lanes>(isa: L::Isa, x: &[f32]) -> f32 {
    let (chunks, tail) = split(x);
    let mut largest = load_tail::<L>(isa, tail).abs();
    for x in chunks {
        largest = largest.max_magnitude(L::load(isa, x));
    }
    let mut bits = 0;
    for x in to_array(largest) {
        bits = bits.max(x.abs().to_bits());
    }
    f32::from_bits(bits)
}

#[inline(always)]
pub(crate) fn quantise_15bit<L: Lanes>(isa: L::Isa, z: &[f32], q: &mut [i16]) -> f32 {
    let ((chunks, tail), (q_chunks, q_tail)) = (split(z), q.as_chunks_mut::<LANES>());
    let largest = largest_magnitude::<L>(isa, z);
    let t = if TINY > largest { TINY } else { largest };
    let (s, low, high) = (L::splat(isa, INT15_MAX / t), L::splat(isa, -INT15_MAX), L::splat(isa, INT15_MAX));
    for (z, q) in chunks.iter().zip(q_chunks) {
        L::load(isa, z).mul(s).max(low).min(high).round_to_i16(q);
    }
    if !tail.is_empty() {
        let mut last = [0; LANES];
        load_tail::<L>(isa, tail).mul(s).max(low).min(high).round_to_i16(&mut last);
        q_tail.copy_from_slice(&last[..q_tail.len()]);
    }
    t / INT15_MAX
}

#[inline(always)]
pub(crate) fn silu_gate<L: Lanes>(isa: L::Isa, o: &mut [f32], g: &[f32]) {
    zip_into!(isa, L, o, [g], |o, g| silu_gated(isa, o, g));
}

/// `o · silu(g)`.
#[inline(always)]
pub(super) fn silu_gated<L: Lanes>(isa: L::Isa, o: L, g: L) -> L {
    o.mul(g.mul(sigmoid_lanes(isa, g)))
}

#[inline(always)]
pub(crate) fn sigmoid_gate_add<L: Lanes>(isa: L::Isa, x: &mut [f32], r: &[f32], v: &[f32]) {
    zip_into!(isa, L, x, [r, v], |x, r, v| x.add(sigmoid_lanes(isa, r).mul(v)));
}

#[inline(always)]
pub(crate) fn relu_squared<L: Lanes>(isa: L::Isa, k: &mut [f32]) {
    let zero = L::splat(isa, 0.0);
    zip_into!(isa, L, k, [], |k| {
        let h = zero.max(k);
        h.mul(h)
    });
}

#[inline(always)]
pub(crate) fn add<L: Lanes>(isa: L::Isa, x: &mut [f32], y: &[f32]) {
    zip_into!(isa, L, x, [y], |x, y| x.add(y));
}

#[inline(always)]
pub(crate) fn exp<L: Lanes>(isa: L::Isa, x: &mut [f32]) {
    zip_into!(isa, L, x, [], |x| exp_lanes(isa, x));
}

#[inline(always)]
fn sigmoid_lanes<L: Lanes>(isa: L::Isa, x: L) -> L {
    let one = L::splat(isa, 1.0);
    let e = exp_lanes(isa, L::splat(isa, 0.0).sub(x.abs()));
    x.select_not_negative(one, e).div(one.add(e))
}

#[inline(always)]
fn exp_lanes<L: Lanes>(isa: L::Isa, x: L) -> L {
    use super::constants::exp::{C, LN2_HIGH, LN2_LOW, LOG2_E, MAX, MIN};
    let x = L::splat(isa, MAX).min(L::splat(isa, MIN).max(x));
    let t = x.mul(L::splat(isa, LOG2_E)).add(L::splat(isa, ROUND));
    let m = t.sub(L::splat(isa, ROUND));
    let r = x.sub(m.mul(L::splat(isa, LN2_HIGH))).sub(m.mul(L::splat(isa, LN2_LOW)));
    let mut p = L::splat(isa, C[0]);
    for c in &C[1..] {
        p = p.mul(r).add(L::splat(isa, *c));
    }
    p.mul(r.mul(r)).add(r).add(L::splat(isa, 1.0)).scale_by_power(t)
}

/// `logits_v = sum16(E_vi · z_i)` over rows of little-endian f32.
#[inline(always)]
pub(crate) fn dot_rows<L: Lanes>(isa: L::Isa, rows: &[u8], z: &[f32], logits: &mut [f32]) {
    let (z_chunks, z_tail) = split(z);
    for (row, logit) in rows.chunks_exact(z.len() * 4).zip(logits) {
        let (chunks, tail) = row.as_chunks::<{ 4 * LANES }>();
        let mut sums = L::splat(isa, 0.0);
        for (e, z) in chunks.iter().zip(z_chunks) {
            sums = sums.add(L::load_bytes(isa, e).mul(L::load(isa, z)));
        }
        if !z_tail.is_empty() {
            let mut last = [0; 4 * LANES];
            last[..tail.len()].copy_from_slice(tail);
            sums = sums.add(L::load_bytes(isa, &last).mul(load_tail(isa, z_tail)));
        }
        *logit = sums.sum();
    }
}

/// Reads all bytes, four vectors at a time, and returns a value that depends on each of them.
#[inline(always)]
pub(crate) fn read<L: Lanes>(isa: L::Isa, bytes: &[u8]) -> f32 {
    let (fours, rest) = bytes.as_chunks::<{ 16 * LANES }>();
    let mut sums = [L::splat(isa, 0.0); 4];
    for four in fours {
        let (chunks, _) = four.as_chunks::<{ 4 * LANES }>();
        for i in 0..4 {
            sums[i] = sums[i].add(L::load_bytes(isa, &chunks[i]));
        }
    }
    let mut sum = sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum();
    for &byte in rest {
        sum += f32::from(byte);
    }
    sum
}
