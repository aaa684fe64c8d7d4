//! The inputs of ternary matrices: computed, normalised and quantised in one step, several at once if several matrices
//! read the same token, so that the dependency chains of sums, roots and divisions overlap.
//!
//! Every value goes through the same operations in the same order as in the separate steps.

use super::constants::LANES;
use super::lanes::{self, Lanes, int8_scale, inverse_deviation, load_tail, quantise_lanes, split};
use super::mean::mean;
use super::operands::{GatedInput, MixInput, NormInput};

/// Registers per lane vector up to which several inputs fit.
const SEVERAL: usize = 2;

/// Sixteen values of one input.
type Chunk = [f32; LANES];

/// Space for `N` inputs of `len` values each, interleaved by chunk; the last chunk is whole.
#[inline(always)]
fn chunks_of<const N: usize>(room: &mut [f32], len: usize) -> &mut [[Chunk; N]] {
    let (chunks, _) = room.as_chunks_mut::<LANES>();
    let (chunks, _) = chunks.as_chunks_mut::<N>();
    &mut chunks[..len.div_ceil(LANES)]
}

/// `quantise(layer_norm(z + (p - z) · mu))` of each of `mixes` into `q`; returns the scales. One by one if the lanes of
/// several do not fit the registers.
#[inline(always)]
pub(crate) fn mix_inputs<L: Lanes, const N: usize>(
    isa: L::Isa,
    z: &[f32],
    p: &[f32],
    mixes: [MixInput<'_>; N],
    room: &mut [f32],
    q: [&mut [i8]; N],
) -> [f32; N] {
    if L::REGISTERS <= SEVERAL {
        return mixes_at_once::<L, N>(isa, z, p, mixes, room, q);
    }
    let mut scales = [0.0; N];
    for ((mix, q), scale) in mixes.into_iter().zip(q).zip(&mut scales) {
        [*scale] = mixes_at_once::<L, 1>(isa, z, p, [mix], room, [q]);
    }
    scales
}

/// [`mix_inputs`], all at once.
#[inline(always)]
fn mixes_at_once<L: Lanes, const N: usize>(
    isa: L::Isa,
    z: &[f32],
    p: &[f32],
    mixes: [MixInput<'_>; N],
    room: &mut [f32],
    q: [&mut [i8]; N],
) -> [f32; N] {
    let chunks = chunks_of::<N>(room, z.len());
    let mut sums = [L::splat(isa, 0.0); N];
    let ((z, z_tail), (p, p_tail)) = (split(z), split(p));
    for (i, chunk) in chunks[..z.len()].iter_mut().enumerate() {
        let (z, p) = (L::load(isa, &z[i]), L::load(isa, &p[i]));
        let difference = p.sub(z);
        for c in 0..N {
            let mixed = z.add(difference.mul(L::load(isa, &split(mixes[c].mu).0[i])));
            sums[c] = sums[c].add(mixed);
            mixed.store(&mut chunk[c]);
        }
    }
    if let ([chunk], false) = (&mut chunks[z.len()..], z_tail.is_empty()) {
        let (z, p) = (load_tail::<L>(isa, z_tail), load_tail::<L>(isa, p_tail));
        let difference = p.sub(z);
        for c in 0..N {
            let mixed = z.add(difference.mul(load_tail::<L>(isa, split(mixes[c].mu).1)));
            sums[c] = sums[c].add(mixed);
            mixed.store(&mut chunk[c]);
        }
    }
    let mut norms = [NormInput { weight: &[], bias: &[] }; N];
    for c in 0..N {
        norms[c] = mixes[c].norm;
    }
    norm_inputs::<L, N>(isa, chunks, sums, norms, q)
}

/// `quantise(layer_norm(relu(k)²))` into `q`; returns the scale.
#[inline(always)]
pub(crate) fn relu_squared_input<L: Lanes>(
    isa: L::Isa,
    k: &[f32],
    norm: NormInput<'_>,
    room: &mut [f32],
    q: &mut [i8],
) -> f32 {
    let chunks = chunks_of::<1>(room, k.len());
    let (mut sum, zero) = (L::splat(isa, 0.0), L::splat(isa, 0.0));
    let (k, k_tail) = split(k);
    for (k, [chunk]) in k.iter().zip(&mut *chunks) {
        let h = zero.max(L::load(isa, k));
        sum = sum.add(h.mul(h));
        h.mul(h).store(chunk);
    }
    if let ([[chunk]], false) = (&mut chunks[k.len()..], k_tail.is_empty()) {
        let h = zero.max(load_tail::<L>(isa, k_tail));
        sum = sum.add(h.mul(h));
        h.mul(h).store(chunk);
    }
    let [scale] = norm_inputs::<L, 1>(isa, chunks, [sum], [norm], [q]);
    scale
}

/// `y = group_norm(x) · silu(g)` for heads of `head_size` values, then `quantise(layer_norm(y))` into `q`; returns the
/// scale.
#[inline(always)]
pub(crate) fn gated_input<L: Lanes>(
    isa: L::Isa,
    input: GatedInput<'_>,
    y: &mut [f32],
    room: &mut [f32],
    q: &mut [i8],
) -> f32 {
    let GatedInput { x, head_size, group_norm, g, norm } = input;
    group_norms::<L>(isa, x, head_size, group_norm, y);
    let chunks = chunks_of::<1>(room, y.len());
    let mut sum = L::splat(isa, 0.0);
    let ((y, y_tail), (g, g_tail)) = (y.as_chunks_mut::<LANES>(), split(g));
    for ((y, g), [chunk]) in y.iter_mut().zip(g).zip(&mut *chunks) {
        let gated = lanes::silu_gated(isa, L::load(isa, y), L::load(isa, g));
        sum = sum.add(gated);
        gated.store(y);
        gated.store(chunk);
    }
    if let ([[chunk]], false) = (&mut chunks[y.len()..], y_tail.is_empty()) {
        let gated = lanes::silu_gated(isa, load_tail::<L>(isa, y_tail), load_tail::<L>(isa, g_tail));
        sum = sum.add(gated);
        gated.store(chunk);
        y_tail.copy_from_slice(&chunk[..y_tail.len()]);
    }
    let [scale] = norm_inputs::<L, 1>(isa, chunks, [sum], [norm], [q]);
    scale
}

/// The norm of each head of `head_size` values: four heads at once, if they are whole vectors.
#[inline(always)]
fn group_norms<L: Lanes>(isa: L::Isa, x: &[f32], head_size: usize, group_norm: NormInput<'_>, y: &mut [f32]) {
    const HEADS: usize = 4;
    let NormInput { weight, bias } = group_norm;
    let mut from = 0;
    let at_once = L::REGISTERS <= SEVERAL && head_size.is_multiple_of(LANES);
    while at_once && from + HEADS * head_size <= x.len() {
        let some = from..from + HEADS * head_size;
        norms_at_once::<L, HEADS>(isa, &x[some.clone()], &weight[some.clone()], &bias[some.clone()], &mut y[some]);
        from += HEADS * head_size;
    }
    let heads = x[from..].chunks_exact(head_size).zip(y[from..].chunks_exact_mut(head_size));
    let parameters = weight[from..].chunks_exact(head_size).zip(bias[from..].chunks_exact(head_size));
    for ((x, y), (weight, bias)) in heads.zip(parameters) {
        lanes::layer_norm::<L>(isa, x, weight, bias, y);
    }
}

/// The norms of `N` heads of whole vectors.
#[inline(always)]
fn norms_at_once<L: Lanes, const N: usize>(isa: L::Isa, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let (x, weight, bias, (y, _)) = (split(x).0, split(weight).0, split(bias).0, y.as_chunks_mut::<LANES>());
    let n = y.len() / N;
    let (x, weight, bias) = (&x[..N * n], &weight[..N * n], &bias[..N * n]);
    let zero = L::splat(isa, 0.0);
    let (mut sums, mut squares, mut means, mut inverses) = ([zero; N], [zero; N], [zero; N], [zero; N]);
    for i in 0..n {
        for c in 0..N {
            sums[c] = sums[c].add(L::load(isa, &x[c * n + i]));
        }
    }
    for c in 0..N {
        means[c] = L::splat(isa, mean(sums[c].sum(), n * LANES));
    }
    for i in 0..n {
        for c in 0..N {
            let deviation = L::load(isa, &x[c * n + i]).sub(means[c]);
            squares[c] = squares[c].add(deviation.mul(deviation));
        }
    }
    for c in 0..N {
        inverses[c] = L::splat(isa, inverse_deviation::<L>(isa, mean(squares[c].sum(), n * LANES)));
    }
    for i in 0..n {
        for c in 0..N {
            let deviation = L::load(isa, &x[c * n + i]).sub(means[c]);
            let normed = deviation.mul(inverses[c]).mul(L::load(isa, &weight[c * n + i]));
            normed.add(L::load(isa, &bias[c * n + i])).store(&mut y[c * n + i]);
        }
    }
}

/// Quantises the norms of `N` inputs into `q`, from their values and the sums of their lanes; returns the scales.
#[inline(always)]
fn norm_inputs<L: Lanes, const N: usize>(
    isa: L::Isa,
    chunks: &mut [[Chunk; N]],
    sums: [L; N],
    norms: [NormInput<'_>; N],
    q: [&mut [i8]; N],
) -> [f32; N] {
    let len = norms[0].weight.len();
    let (whole, tail) = (len / LANES, len % LANES);
    let mut means = sums;
    for c in 0..N {
        means[c] = L::splat(isa, mean(sums[c].sum(), len));
    }
    let mut squares = [L::splat(isa, 0.0); N];
    for chunk in &mut chunks[..whole] {
        for c in 0..N {
            let deviation = L::load(isa, &chunk[c]).sub(means[c]);
            squares[c] = squares[c].add(deviation.mul(deviation));
            deviation.store(&mut chunk[c]);
        }
    }
    if tail > 0 {
        for c in 0..N {
            L::load(isa, &chunks[whole][c]).sub(means[c]).store(&mut chunks[whole][c]);
            // The padding of the chunk is not a value and must not contribute a deviation from the mean.
            chunks[whole][c][tail..].fill(0.0);
            let deviation = L::load(isa, &chunks[whole][c]);
            squares[c] = squares[c].add(deviation.mul(deviation));
        }
    }
    let mut inverses = means;
    for c in 0..N {
        inverses[c] = L::splat(isa, inverse_deviation::<L>(isa, mean(squares[c].sum(), len)));
    }
    let mut magnitudes = [L::splat(isa, 0.0); N];
    for (i, chunk) in chunks[..whole].iter_mut().enumerate() {
        for c in 0..N {
            let (weight, bias) = (split(norms[c].weight).0, split(norms[c].bias).0);
            let normed = L::load(isa, &chunk[c]).mul(inverses[c]).mul(L::load(isa, &weight[i]));
            let normed = normed.add(L::load(isa, &bias[i]));
            magnitudes[c] = magnitudes[c].add(normed.abs());
            normed.store(&mut chunk[c]);
        }
    }
    if tail > 0 {
        for c in 0..N {
            let (weight, bias) = (split(norms[c].weight).1, split(norms[c].bias).1);
            let normed = L::load(isa, &chunks[whole][c]).mul(inverses[c]).mul(load_tail(isa, weight));
            let normed = normed.add(load_tail(isa, bias));
            magnitudes[c] = magnitudes[c].add(normed.abs());
            normed.store(&mut chunks[whole][c]);
        }
    }
    let (mut scales, mut factors) = ([0.0; N], means);
    for c in 0..N {
        let (scale, factor) = int8_scale(mean(magnitudes[c].sum(), len));
        (scales[c], factors[c]) = (scale, L::splat(isa, factor));
    }
    for (c, q) in q.into_iter().enumerate() {
        let (q, q_tail) = q.as_chunks_mut::<LANES>();
        for (chunk, q) in chunks.iter().zip(q) {
            quantise_lanes(isa, L::load(isa, &chunk[c]), factors[c], q);
        }
        if tail > 0 {
            let mut last = [0; LANES];
            quantise_lanes(isa, L::load(isa, &chunks[whole][c]), factors[c], &mut last);
            q_tail.copy_from_slice(&last[..tail]);
        }
    }
    scales
}
