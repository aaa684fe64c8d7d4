//! The model as mathematics: f64 throughout, one line per step.
//!
//! The numbers in the comments refer to the definition's list "One token". Rounding happens only where the definition
//! itself rounds: in the INT8 activations of a BitLinear layer.

use crate::trace::Trace;
use bitstate_model::{BitLinear, Config, Embedding, F32s, Model, Norm};
use std::mem;

/// The number of groups over which the output of the WKV step is normalised.
///
/// [`Definition::new`] uses [`PerHead`](GroupNorm::PerHead), which is the model. The other one is only for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupNorm {
    /// One group per head: the definition.
    PerHead,
    /// One group over all heads: what the published C++ engine does, contrary to the model it was made for.
    OneGroup,
}

/// A model with its weights decoded, evaluated in f64.
#[derive(Debug, Clone)]
pub struct Definition {
    config: Config,
    group_norm: GroupNorm,
    /// V × D, row scales multiplied in (exact in f64).
    embedding: Vec<f64>,
    layers: Vec<Layer>,
    ln_f: Affine,
}

/// The state of the model between tokens; its size does not depend on the length of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct DefinitionState {
    layers: Vec<LayerState>,
}

#[derive(Debug, Clone, PartialEq)]
struct LayerState {
    /// The previous token's `z` of the time mix; D.
    time_mix: Vec<f64>,
    /// The previous token's `z` of the channel mix; D.
    channel_mix: Vec<f64>,
    /// The matrix state: H × S × S, `a[h][i][j]` with i of k and j of v.
    a: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Layer {
    ln1: Affine,
    r: Linear,
    k: Linear,
    v: Linear,
    g: Linear,
    o: Linear,
    /// `exp(-exp(log_decay))`, H × S.
    w: Vec<f64>,
    /// `exp(u)`, H × S.
    b: Vec<f64>,
    mu_r: Vec<f64>,
    mu_k: Vec<f64>,
    mu_v: Vec<f64>,
    mu_g: Vec<f64>,
    gn: Affine,
    ln2: Affine,
    ck: Linear,
    cr: Linear,
    cv: Linear,
    mu_ck: Vec<f64>,
    mu_cr: Vec<f64>,
}

/// γ and β.
#[derive(Debug, Clone)]
struct Affine {
    gamma: Vec<f64>,
    beta: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Linear {
    name: &'static str,
    /// Out × in, each -1, 0 or 1.
    weights: Vec<i8>,
    scale: f64,
    norm: Affine,
}

impl DefinitionState {
    /// The state before the first token: zeros.
    pub fn new(config: &Config) -> Self {
        let layer = LayerState {
            time_mix: vec![0.0; config.n_embd],
            channel_mix: vec![0.0; config.n_embd],
            a: vec![0.0; config.n_head * config.head_size * config.head_size],
        };
        DefinitionState { layers: vec![layer; config.n_layer] }
    }
}

impl Definition {
    /// Decodes the weights of `model`.
    pub fn new(model: &Model<'_>) -> Self {
        Definition::with_group_norm(model, GroupNorm::PerHead)
    }

    /// The same with another grouping of the WKV output's norm, to show what a deviating engine computes.
    pub fn with_group_norm(model: &Model<'_>, group_norm: GroupNorm) -> Self {
        let embedding = match model.embedding {
            Embedding::F32(rows) => f64s(rows),
            Embedding::Int8 { rows, scales } => {
                let scaled = rows.chunks(model.config.n_embd).zip(scales.iter());
                scaled.flat_map(|(row, scale)| row.iter().map(move |&e| f64::from(e) * f64::from(scale))).collect()
            }
        };
        let layers = model.layers.iter().map(Layer::new).collect();
        Definition { config: model.config, group_norm, embedding, layers, ln_f: Affine::new(&model.ln_f) }
    }

    /// Processes one token: updates `state` and returns the logits of the next token, V of them.
    ///
    /// # Panics
    /// If `token` is outside the vocabulary, or `state` has the shape of another model.
    pub fn forward(&self, token: u32, state: &mut DefinitionState) -> Vec<f64> {
        self.forward_traced(token, state, &mut Trace::default())
    }

    /// [`forward`](Self::forward), adding every BitLinear call to `trace`.
    ///
    /// # Panics
    /// Like [`forward`](Self::forward).
    pub fn forward_traced(&self, token: u32, state: &mut DefinitionState, trace: &mut Trace) -> Vec<f64> {
        let d = self.config.n_embd;
        let groups = match self.group_norm {
            GroupNorm::PerHead => self.config.n_head,
            GroupNorm::OneGroup => 1,
        };
        let mut x = self.embedding[token as usize * d..][..d].to_vec();
        for (n, (layer, state)) in self.layers.iter().zip(&mut state.layers).enumerate() {
            // 1. Time mix: token shift, projections, gate.
            let z = layer.ln1.normalise(&x, 1);
            let p = mem::replace(&mut state.time_mix, z.clone());
            let r = layer.r.apply(&mix(&z, &p, &layer.mu_r), n, trace);
            let k = layer.k.apply(&mix(&z, &p, &layer.mu_k), n, trace);
            let v = layer.v.apply(&mix(&z, &p, &layer.mu_v), n, trace);
            let g = layer.g.apply(&mix(&z, &p, &layer.mu_g), n, trace);
            // 2. WKV: read the state, then update it.
            let y = wkv(&mut state.a, [&r, &k, &v], &layer.w, &layer.b, self.config.head_size);
            // 3. Norm of each head, gate, output projection.
            let y = layer.gn.normalise(&y, groups);
            let o: Vec<f64> = y.iter().zip(&g).map(|(y, &g)| y * (g * sigmoid(g))).collect();
            add(&mut x, &layer.o.apply(&o, n, trace));
            // 4. Channel mix.
            let z = layer.ln2.normalise(&x, 1);
            let p = mem::replace(&mut state.channel_mix, z.clone());
            let k = layer.ck.apply(&mix(&z, &p, &layer.mu_ck), n, trace);
            let r = layer.cr.apply(&mix(&z, &p, &layer.mu_cr), n, trace);
            let h: Vec<f64> = k.iter().map(|k| k.max(0.0).powi(2)).collect();
            let v = layer.cv.apply(&h, n, trace);
            add(&mut x, &r.iter().zip(&v).map(|(&r, v)| sigmoid(r) * v).collect::<Vec<_>>());
        }
        // The head is the embedding.
        let z = self.ln_f.normalise(&x, 1);
        self.embedding.chunks(d).map(|row| row.iter().zip(&z).map(|(e, z)| e * z).sum()).collect()
    }
}

impl Affine {
    fn new(norm: &Norm<'_>) -> Self {
        Affine { gamma: f64s(norm.weight), beta: f64s(norm.bias) }
    }

    /// Mean 0 and (biased) variance 1 within each of `groups` equal parts, then `γ` and `β`.
    fn normalise(&self, x: &[f64], groups: usize) -> Vec<f64> {
        let width = x.len() / groups;
        let mut out = Vec::with_capacity(x.len());
        for group in x.chunks(width) {
            let mean = group.iter().sum::<f64>() / width as f64;
            let variance = group.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            out.extend(group.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt()));
        }
        out.iter().zip(&self.gamma).zip(&self.beta).map(|((x, gamma), beta)| x * gamma + beta).collect()
    }
}

impl Linear {
    fn new(name: &'static str, linear: &BitLinear<'_>) -> Self {
        let matrix = &linear.weight;
        let weights = (0..matrix.rows).flat_map(|o| (0..matrix.cols).map(move |i| matrix.get(o, i))).collect();
        Linear { name, weights, scale: f64::from(linear.scale), norm: Affine::new(&linear.norm) }
    }

    /// One BitLinear, in the five steps of its definition.
    fn apply(&self, x: &[f64], layer: usize, trace: &mut Trace) -> Vec<f64> {
        let n = self.norm.normalise(x, 1);
        let mean = n.iter().map(|n| n.abs()).sum::<f64>() / n.len() as f64;
        let a = (2.5 * mean).max(1e-8) / 127.0;
        let q: Vec<i8> = n.iter().map(|n| (n / a).round_ties_even().clamp(-127.0, 127.0) as i8).collect();
        trace.note(layer, self.name, n.iter().map(|n| n / a), &q);
        let acc = self.weights.chunks(x.len()).map(|row| dot(row, &q));
        acc.map(|acc| f64::from(acc) * (self.scale * a)).collect()
    }
}

impl Layer {
    fn new(layer: &bitstate_model::Layer<'_>) -> Self {
        let (time, channel) = (&layer.time_mix, &layer.channel_mix);
        Layer {
            ln1: Affine::new(&layer.ln1),
            r: Linear::new("time_mix.r", &time.r),
            k: Linear::new("time_mix.k", &time.k),
            v: Linear::new("time_mix.v", &time.v),
            g: Linear::new("time_mix.g", &time.g),
            o: Linear::new("time_mix.o", &time.o),
            w: time.log_decay.iter().map(|log_decay| (-f64::from(log_decay).exp()).exp()).collect(),
            b: time.u.iter().map(|u| f64::from(u).exp()).collect(),
            mu_r: f64s(time.mu_r),
            mu_k: f64s(time.mu_k),
            mu_v: f64s(time.mu_v),
            mu_g: f64s(time.mu_g),
            gn: Affine::new(&time.group_norm),
            ln2: Affine::new(&layer.ln2),
            ck: Linear::new("channel_mix.k", &channel.k),
            cr: Linear::new("channel_mix.r", &channel.r),
            cv: Linear::new("channel_mix.v", &channel.v),
            mu_ck: f64s(channel.mu_k),
            mu_cr: f64s(channel.mu_r),
        }
    }
}

/// Per head: `y_j = Σ_i r_i · (A_ij + b_i·k_i·v_j)`, then `A_ij ← w_i·A_ij + k_i·v_j`.
fn wkv(a: &mut [f64], [r, k, v]: [&[f64]; 3], w: &[f64], b: &[f64], s: usize) -> Vec<f64> {
    let mut y = vec![0.0; r.len()];
    for (head, a) in a.chunks_mut(s * s).enumerate() {
        let of_head = head * s..(head + 1) * s;
        let (v, y) = (&v[of_head.clone()], &mut y[of_head.clone()]);
        for (c, a) in of_head.zip(a.chunks_mut(s)) {
            for j in 0..s {
                let kv = k[c] * v[j];
                y[j] += r[c] * (a[j] + b[c] * kv);
                a[j] = w[c] * a[j] + kv;
            }
        }
    }
    y
}

/// Token shift: from this token's `z` towards the previous one's `p`.
fn mix(z: &[f64], p: &[f64], mu: &[f64]) -> Vec<f64> {
    z.iter().zip(p).zip(mu).map(|((z, p), mu)| z + (p - z) * mu).collect()
}

fn add(x: &mut [f64], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn dot(weights: &[i8], q: &[i8]) -> i32 {
    weights.iter().zip(q).map(|(&w, &q)| i32::from(w) * i32::from(q)).sum()
}

fn f64s(values: F32s<'_>) -> Vec<f64> {
    values.iter().map(f64::from).collect()
}
