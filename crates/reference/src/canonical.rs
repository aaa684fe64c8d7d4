//! `crates/ARITHMETIC.md` as naive scalar f32 code: the bit-exact results of every kernel variant.
//!
//! Read it together with that page, which is normative. The primitives are in [`primitives`].

pub mod primitives;

use crate::trace::Trace;
use bitstate_model::{BitLinear, Config, Embedding, F32s, Model, Norm};
use primitives::{WkvHead, exp, layer_norm, max, mix, quantise, quantise_head, sigmoid, silu, sum16, wkv};
use std::mem;

/// A model with its weights decoded, evaluated in the canonical arithmetic.
#[derive(Debug, Clone)]
pub struct Canonical {
    config: Config,
    head: Head,
    layers: Vec<Layer>,
    ln_f: Affine,
}

/// The state of the model between tokens; its size does not depend on the length of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct CanonicalState {
    /// One per layer.
    pub layers: Vec<LayerState>,
}

/// The state of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerState {
    /// The previous token's `z` of the time mix; D.
    pub time_mix: Vec<f32>,
    /// The previous token's `z` of the channel mix; D.
    pub channel_mix: Vec<f32>,
    /// The matrix state: H × S × S, for each head `A_ij` with `i` the index of `k`, row by row.
    pub wkv: Vec<f32>,
}

/// The embedding, which is also the head.
#[derive(Debug, Clone)]
enum Head {
    /// V × D.
    F32(Vec<f32>),
    /// V × D, and V scales.
    Int8 { rows: Vec<i8>, scales: Vec<f32> },
}

#[derive(Debug, Clone)]
struct Layer {
    ln1: Affine,
    time: TimeMix,
    ln2: Affine,
    channel: ChannelMix,
}

#[derive(Debug, Clone)]
struct TimeMix {
    r: Linear,
    k: Linear,
    v: Linear,
    g: Linear,
    o: Linear,
    /// `exp(-exp(log_decay))`, H × S.
    w: Vec<f32>,
    /// `exp(u)`, H × S.
    b: Vec<f32>,
    mu_r: Vec<f32>,
    mu_k: Vec<f32>,
    mu_v: Vec<f32>,
    mu_g: Vec<f32>,
    group_norm: Affine,
}

#[derive(Debug, Clone)]
struct ChannelMix {
    k: Linear,
    r: Linear,
    v: Linear,
    mu_k: Vec<f32>,
    mu_r: Vec<f32>,
}

/// γ and β.
#[derive(Debug, Clone)]
struct Affine {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

#[derive(Debug, Clone)]
struct Linear {
    name: &'static str,
    /// Out × in, each -1, 0 or 1.
    weights: Vec<i8>,
    scale: f32,
    norm: Affine,
}

/// Records BitLinear calls of a layer.
struct Notes<'a> {
    layer: usize,
    trace: &'a mut Trace,
}

impl CanonicalState {
    /// The state before the first token: zeros.
    pub fn new(config: &Config) -> Self {
        let layer = LayerState {
            time_mix: vec![0.0; config.n_embd],
            channel_mix: vec![0.0; config.n_embd],
            wkv: vec![0.0; config.n_head * config.head_size * config.head_size],
        };
        CanonicalState { layers: vec![layer; config.n_layer] }
    }
}

impl Canonical {
    /// Decodes the weights of `model`.
    pub fn new(model: &Model<'_>) -> Self {
        let head = match model.embedding {
            Embedding::F32(rows) => Head::F32(rows.iter().collect()),
            Embedding::Int8 { rows, scales } => Head::Int8 { rows: rows.to_vec(), scales: scales.iter().collect() },
        };
        let layers = model.layers.iter().map(Layer::new).collect();
        Canonical { config: model.config, head, layers, ln_f: Affine::new(&model.ln_f) }
    }

    /// The shapes of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Processes one token: updates `state` and returns the logits of the next token, V of them.
    ///
    /// # Panics
    /// If `token` is outside the vocabulary, or `state` has the shape of another model.
    pub fn forward(&self, token: u32, state: &mut CanonicalState) -> Vec<f32> {
        self.forward_traced(token, state, &mut Trace::default())
    }

    /// [`forward`](Self::forward), adding every BitLinear call to `trace`.
    ///
    /// # Panics
    /// Like [`forward`](Self::forward).
    pub fn forward_traced(&self, token: u32, state: &mut CanonicalState, trace: &mut Trace) -> Vec<f32> {
        let mut x = self.head.embed(token as usize, self.config.n_embd);
        for (index, (layer, state)) in self.layers.iter().zip(&mut state.layers).enumerate() {
            let mut notes = Notes { layer: index, trace };
            let z = layer.ln1.layer_norm(&x);
            let p = mem::replace(&mut state.time_mix, z.clone());
            add(&mut x, &layer.time.apply(&z, &p, &mut state.wkv, self.config.head_size, &mut notes));
            let z = layer.ln2.layer_norm(&x);
            let p = mem::replace(&mut state.channel_mix, z.clone());
            add(&mut x, &layer.channel.apply(&z, &p, &mut notes));
        }
        self.head.logits(&self.ln_f.layer_norm(&x))
    }
}

impl Head {
    fn embed(&self, token: usize, d: usize) -> Vec<f32> {
        let row = token * d..(token + 1) * d;
        match self {
            Head::F32(rows) => rows[row].to_vec(),
            Head::Int8 { rows, scales } => rows[row].iter().map(|&e| f32::from(e) * scales[token]).collect(),
        }
    }

    fn logits(&self, z: &[f32]) -> Vec<f32> {
        match self {
            Head::F32(rows) => rows.chunks(z.len()).map(|row| sum16(row.iter().zip(z).map(|(e, z)| e * z))).collect(),
            Head::Int8 { rows, scales } => {
                let (q, step) = quantise_head(z);
                let acc = rows.chunks(z.len()).map(|row| {
                    let products = row.iter().zip(&q).map(|(&e, &q)| i32::from(e) * q);
                    products.sum::<i32>()
                });
                acc.zip(scales).map(|(acc, scale)| acc as f32 * (scale * step)).collect()
            }
        }
    }
}

impl TimeMix {
    /// The output of the time mix, added to `x`; `state` is H × S × S.
    fn apply(&self, z: &[f32], p: &[f32], state: &mut [f32], s: usize, notes: &mut Notes<'_>) -> Vec<f32> {
        let r = self.r.apply(&mix(z, p, &self.mu_r), notes);
        let k = self.k.apply(&mix(z, p, &self.mu_k), notes);
        let v = self.v.apply(&mix(z, p, &self.mu_v), notes);
        let g = self.g.apply(&mix(z, p, &self.mu_g), notes);
        let mut o = Vec::with_capacity(z.len());
        for (head, state) in state.chunks_mut(s * s).enumerate() {
            let c = head * s..(head + 1) * s;
            let of_head = |x: &'_ [f32]| x[c.clone()].to_vec();
            let (r, k, v, w, b) = (of_head(&r), of_head(&k), of_head(&v), of_head(&self.w), of_head(&self.b));
            let y = wkv(&WkvHead { r: &r, k: &k, v: &v, w: &w, b: &b }, state);
            let y = layer_norm(&y, &self.group_norm.gamma[c.clone()], &self.group_norm.beta[c.clone()]);
            o.extend(y.iter().zip(&g[c]).map(|(y, &g)| y * silu(g)));
        }
        self.o.apply(&o, notes)
    }
}

impl ChannelMix {
    /// The output of the channel mix, added to `x`.
    fn apply(&self, z: &[f32], p: &[f32], notes: &mut Notes<'_>) -> Vec<f32> {
        let k = self.k.apply(&mix(z, p, &self.mu_k), notes);
        let r = self.r.apply(&mix(z, p, &self.mu_r), notes);
        let h: Vec<f32> = k.iter().map(|&k| max(0.0, k)).map(|h| h * h).collect();
        let v = self.v.apply(&h, notes);
        r.iter().zip(&v).map(|(&r, v)| sigmoid(r) * v).collect()
    }
}

impl Linear {
    fn new(name: &'static str, linear: &BitLinear<'_>) -> Self {
        let matrix = &linear.weight;
        let weights = (0..matrix.rows).flat_map(|o| (0..matrix.cols).map(move |i| matrix.get(o, i))).collect();
        Linear { name, weights, scale: linear.scale, norm: Affine::new(&linear.norm) }
    }

    /// `bitlinear`.
    fn apply(&self, x: &[f32], notes: &mut Notes<'_>) -> Vec<f32> {
        let n = quantise(&self.norm.layer_norm(x));
        notes.trace.note(notes.layer, self.name, n.scaled.iter().map(|&v| f64::from(v)), &n.q);
        let acc = self.weights.chunks(x.len()).map(|row| {
            let products = row.iter().zip(&n.q).map(|(&w, &q)| i32::from(w) * i32::from(q));
            products.sum::<i32>()
        });
        acc.map(|acc| acc as f32 * (self.scale * n.a)).collect()
    }
}

impl Affine {
    fn new(norm: &Norm<'_>) -> Self {
        Affine { gamma: f32s(norm.weight), beta: f32s(norm.bias) }
    }

    fn layer_norm(&self, x: &[f32]) -> Vec<f32> {
        layer_norm(x, &self.gamma, &self.beta)
    }
}

impl Layer {
    fn new(layer: &bitstate_model::Layer<'_>) -> Self {
        let (time, channel) = (&layer.time_mix, &layer.channel_mix);
        Layer {
            ln1: Affine::new(&layer.ln1),
            time: TimeMix {
                r: Linear::new("time_mix.r", &time.r),
                k: Linear::new("time_mix.k", &time.k),
                v: Linear::new("time_mix.v", &time.v),
                g: Linear::new("time_mix.g", &time.g),
                o: Linear::new("time_mix.o", &time.o),
                w: time.log_decay.iter().map(|log_decay| exp(-exp(log_decay))).collect(),
                b: time.u.iter().map(exp).collect(),
                mu_r: f32s(time.mu_r),
                mu_k: f32s(time.mu_k),
                mu_v: f32s(time.mu_v),
                mu_g: f32s(time.mu_g),
                group_norm: Affine::new(&time.group_norm),
            },
            ln2: Affine::new(&layer.ln2),
            channel: ChannelMix {
                k: Linear::new("channel_mix.k", &channel.k),
                r: Linear::new("channel_mix.r", &channel.r),
                v: Linear::new("channel_mix.v", &channel.v),
                mu_k: f32s(channel.mu_k),
                mu_r: f32s(channel.mu_r),
            },
        }
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

fn f32s(values: F32s<'_>) -> Vec<f32> {
    values.iter().collect()
}
