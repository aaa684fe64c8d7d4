//! The forward pass, each line a step of the definition.

use crate::engine::Engine;
use crate::observe::{Observer, Step};
use crate::state::State;
use crate::weights::{BitLinear, ChannelMix, Embedding, TimeMix};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{Kernels, QuantisedInput, WkvInput};
use bitstate_model::Config;

/// The activations of one token. They live in the state so that a token allocates nothing and an engine can serve
/// many sessions, but they are no part of what a session remembers.
#[derive(Clone)]
pub(crate) struct Activations {
    /// The residual stream, D.
    x: Vec<f32>,
    /// The normed input of a mix, D.
    z: Vec<f32>,
    /// The token-shifted input of a matrix, D.
    mixed: Vec<f32>,
    /// r, v, g and the outputs of the WKV and of a mix, D.
    r: Vec<f32>,
    v: Vec<f32>,
    g: Vec<f32>,
    y: Vec<f32>,
    o: Vec<f32>,
    /// k of either mix, F.
    k: Vec<f32>,
    linear: LinearInput,
    /// The head's 15-bit input, D.
    head: Vec<i16>,
}

/// The input of a BitLinear: normed, then quantised.
#[derive(Clone)]
struct LinearInput {
    /// As wide as the widest input.
    normed: Vec<f32>,
    quantised: QuantisedInput,
}

impl Activations {
    pub fn new(config: &Config, kernels: Kernels) -> Self {
        let (d, f) = (config.n_embd, config.ff_dim());
        let zeros = |n| vec![0.0; n];
        Activations {
            x: zeros(d),
            z: zeros(d),
            mixed: zeros(d),
            r: zeros(d),
            v: zeros(d),
            g: zeros(d),
            y: zeros(d),
            o: zeros(d),
            k: zeros(f),
            linear: LinearInput { normed: zeros(f), quantised: QuantisedInput::new(kernels, f, f) },
            head: vec![0; d],
        }
    }
}

impl BitLinear<'_> {
    /// `y = (W · quantise(layer_norm(x))) · scale`.
    fn forward(&self, kernels: Kernels, x: &[f32], input: &mut LinearInput, y: &mut [f32]) {
        let normed = &mut input.normed[..x.len()];
        kernels.layer_norm(x, &self.norm.weight, &self.norm.bias, normed);
        input.quantised.quantise(normed);
        self.weight.matvec(&mut input.quantised, self.scale, y);
    }
}

impl Engine<'_> {
    /// The token through all layers; leaves the residual stream in the state's activations.
    pub(crate) fn layers_forward(&self, token: usize, state: &mut State, observer: &mut impl Observer) {
        self.embedding.lookup(token, &mut state.activations.x);
        observer.step(0, Step::Embedding, &state.activations.x);
        for (l, layer) in self.layers.iter().enumerate() {
            let (memory, a) = state.layer_mut(l);
            self.kernels.layer_norm(&a.x, &layer.ln1.weight, &layer.ln1.bias, &mut a.z);
            self.time_mix(&layer.time_mix, memory.time_shift, memory.wkv, a, |step, y| observer.step(l, step, y));
            self.kernels.layer_norm(&a.x, &layer.ln2.weight, &layer.ln2.bias, &mut a.z);
            self.channel_mix(&layer.channel_mix, memory.channel_shift, a, |step, y| observer.step(l, step, y));
        }
    }

    /// `x += o(groupnorm(wkv(r, k, v)) · silu(g))`; `shift` is the previous token's `z`, `wkv` is H × S × S.
    fn time_mix(
        &self,
        tm: &TimeMix<'_>,
        shift: &mut [f32],
        wkv: &mut [f32],
        a: &mut Activations,
        mut observe: impl FnMut(Step, &[f32]),
    ) {
        let kernels = self.kernels;
        let k = &mut a.k[..a.x.len()];
        kernels.mix(&a.z, shift, &tm.mu_r, &mut a.mixed);
        tm.r.forward(kernels, &a.mixed, &mut a.linear, &mut a.r);
        kernels.mix(&a.z, shift, &tm.mu_k, &mut a.mixed);
        tm.k.forward(kernels, &a.mixed, &mut a.linear, k);
        kernels.mix(&a.z, shift, &tm.mu_v, &mut a.mixed);
        tm.v.forward(kernels, &a.mixed, &mut a.linear, &mut a.v);
        kernels.mix(&a.z, shift, &tm.mu_g, &mut a.mixed);
        tm.g.forward(kernels, &a.mixed, &mut a.linear, &mut a.g);
        shift.copy_from_slice(&a.z);
        observe(Step::TimeMixR, &a.r);
        observe(Step::TimeMixK, k);
        observe(Step::TimeMixV, &a.v);
        observe(Step::TimeMixG, &a.g);

        let s = self.config.head_size;
        for (h, state) in wkv.chunks_exact_mut(s * s).enumerate() {
            let head = h * s..(h + 1) * s;
            let input = WkvInput {
                r: &a.r[head.clone()],
                k: &k[head.clone()],
                v: &a.v[head.clone()],
                decay: &tm.decay[head.clone()],
                bonus: &tm.bonus[head.clone()],
            };
            kernels.wkv(input, state, &mut a.y[head.clone()]);
            let (weight, bias) = (&tm.group_norm.weight[head.clone()], &tm.group_norm.bias[head.clone()]);
            kernels.layer_norm(&a.y[head.clone()], weight, bias, &mut a.o[head]);
        }
        observe(Step::Wkv, &a.y);
        kernels.silu_gate(&mut a.o, &a.g);
        observe(Step::GroupNorm, &a.o);
        tm.o.forward(kernels, &a.o, &mut a.linear, &mut a.y);
        observe(Step::TimeMixOutput, &a.y);
        kernels.add(&mut a.x, &a.y);
    }

    /// `x += sigmoid(r) · v(relu(k)²)`; `shift` is the previous token's `z`.
    fn channel_mix(
        &self,
        cm: &ChannelMix<'_>,
        shift: &mut [f32],
        a: &mut Activations,
        mut observe: impl FnMut(Step, &[f32]),
    ) {
        let kernels = self.kernels;
        kernels.mix(&a.z, shift, &cm.mu_k, &mut a.mixed);
        cm.k.forward(kernels, &a.mixed, &mut a.linear, &mut a.k);
        kernels.mix(&a.z, shift, &cm.mu_r, &mut a.mixed);
        cm.r.forward(kernels, &a.mixed, &mut a.linear, &mut a.r);
        shift.copy_from_slice(&a.z);
        observe(Step::ChannelMixK, &a.k);
        observe(Step::ChannelMixR, &a.r);

        kernels.relu_squared(&mut a.k);
        cm.v.forward(kernels, &a.k, &mut a.linear, &mut a.v);
        observe(Step::ChannelMixV, &a.v);
        kernels.sigmoid_gate_add(&mut a.x, &a.r, &a.v);
    }

    /// `logits = E · layer_norm(x; ln_f)`.
    pub(crate) fn head(&self, state: &mut State, logits: &mut [f32], observer: &mut impl Observer) {
        let (kernels, a) = (self.kernels, &mut state.activations);
        kernels.layer_norm(&a.x, &self.ln_f.weight, &self.ln_f.bias, &mut a.z);
        match &self.embedding {
            Embedding::F32(rows) => kernels.head_f32(rows, &a.z, logits),
            Embedding::Int8 { rows, scales } => {
                let scale = kernels.quantise_15bit(&a.z, &mut a.head);
                kernels.head_int8(rows, scales, &a.head, scale, logits);
            }
        }
        observer.step(self.layers.len(), Step::FinalNorm, &a.z);
        observer.step(self.layers.len(), Step::Head, logits);
    }
}
