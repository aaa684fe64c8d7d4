//! The results of the kernel calls in the canonical arithmetic.

use super::bits;
use super::call::{Call, integers};
use bitstate_reference::canonical::primitives as oracle;

impl Call {
    /// The expected result of [`run`](Call::run), from `bitstate-reference`, or from a loop as plain as the definition.
    pub fn canonical(&self) -> Vec<u32> {
        let each = |n: usize, f: &dyn Fn(usize) -> f32| bits(&(0..n).map(f).collect::<Vec<_>>());
        match self {
            Call::Exp { x } => each(x.len(), &|i| oracle::exp(x[i])),
            Call::LayerNorm { x, weight, bias } => bits(&oracle::layer_norm(x, weight, bias)),
            Call::Mix { z, p, mu } => bits(&oracle::mix(z, p, mu)),
            Call::QuantiseInt8 { y } => {
                let quantised = oracle::quantise(y);
                [integers(&quantised.q), bits(&[quantised.a])].concat()
            }
            Call::Quantise15Bit { z } => {
                let (q, step) = oracle::quantise_head(z);
                [integers(&q), bits(&[step])].concat()
            }
            Call::Wkv { r, k, v, decay, bonus, state } => {
                let mut state = state.clone();
                let y = oracle::wkv(&oracle::WkvHead { r, k, v, w: decay, b: bonus }, &mut state);
                [bits(&y), bits(&state)].concat()
            }
            Call::SiluGate { o, g } => each(o.len(), &|i| o[i] * oracle::silu(g[i])),
            Call::SigmoidGateAdd { x, r, v } => each(x.len(), &|i| x[i] + (oracle::sigmoid(r[i]) * v[i])),
            Call::ReluSquared { k } => each(k.len(), &|i| oracle::max(0.0, k[i]) * oracle::max(0.0, k[i])),
            Call::Add { x, y } => each(x.len(), &|i| x[i] + y[i]),
            Call::MixInputs { z, p, mixes } => mixed(z, p, mixes),
            Call::MixTwo { z, p, mixes } => mixed(z, p, mixes),
            Call::GatedInput { x, head_size, group_norm: [weight, bias], g, norm } => {
                let heads = x.chunks(*head_size).zip(weight.chunks(*head_size).zip(bias.chunks(*head_size)));
                let grouped = heads.flat_map(|(x, (weight, bias))| oracle::layer_norm(x, weight, bias));
                let y: Vec<f32> = grouped.zip(g).map(|(y, g)| y * oracle::silu(*g)).collect();
                [bits(&y), normed(&y, &norm[0], &norm[1])].concat()
            }
            Call::ReluSquaredInput { k, norm: [weight, bias] } => {
                let squared: Vec<f32> = k.iter().map(|&k| oracle::max(0.0, k) * oracle::max(0.0, k)).collect();
                normed(&squared, weight, bias)
            }
            Call::StridedMaxima { x, scale, step, groups } => {
                let mut maxima = vec![f32::NEG_INFINITY; *groups];
                for (i, x) in x.iter().enumerate().filter(|(i, _)| i / groups % step == 0) {
                    maxima[i % groups] = oracle::max(x * scale, maxima[i % groups]);
                }
                bits(&maxima)
            }
            Call::NotBelow { x, scale, floor } => {
                let is_below = |x: f32| (x * scale).partial_cmp(floor) == Some(std::cmp::Ordering::Less);
                (0..x.len() as u32).filter(|&i| !is_below(x[i as usize])).collect()
            }
            Call::Ternary { weights, q, scales, .. } => {
                let acc = |row: &[i8]| row.iter().zip(q).map(|(&w, &q)| i32::from(w) * i32::from(q)).sum::<i32>();
                let y = weights.chunks(q.len()).map(|row| acc(row) as f32 * (scales[0] * scales[1]));
                bits(&y.collect::<Vec<_>>())
            }
            Call::HeadInt8 { rows, row_scales, q, scale } => {
                let acc = |row: &[i8]| row.iter().zip(q).map(|(&e, &q)| i32::from(e) * i32::from(q)).sum::<i32>();
                let logits = rows.chunks(q.len()).zip(row_scales).map(|(row, s)| acc(row) as f32 * (s * scale));
                bits(&logits.collect::<Vec<_>>())
            }
            Call::HeadMany { rows, row_scales, q, scales } => {
                let alone = q.chunks(q.len() / scales.len()).zip(scales).map(|(q, &scale)| {
                    let (rows, row_scales, q) = (rows.clone(), row_scales.clone(), q.to_vec());
                    Call::HeadInt8 { rows, row_scales, q, scale }.canonical()
                });
                alone.collect::<Vec<_>>().concat()
            }
            Call::HeadF32 { rows, z } => {
                let logits = rows.chunks(z.len()).map(|row| oracle::sum16(row.iter().zip(z).map(|(e, z)| e * z)));
                bits(&logits.collect::<Vec<_>>())
            }
        }
    }
}

/// The inputs of several matrices.
fn mixed(z: &[f32], p: &[f32], mixes: &[[Vec<f32>; 3]]) -> Vec<u32> {
    mixes.iter().flat_map(|[mu, weight, bias]| normed(&oracle::mix(z, p, mu), weight, bias)).collect()
}

/// `quantise(layer_norm(x))`.
fn normed(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<u32> {
    let quantised = oracle::quantise(&oracle::layer_norm(x, weight, bias));
    [integers(&quantised.q), bits(&[quantised.a])].concat()
}
