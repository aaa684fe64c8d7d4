//! The forward pass, each line a step of the definition, for as many rows at once as there is room for.
//!
//! A row is one token of one session. In a prefill all rows belong to one session and follow each other; decoding many
//! sessions together, each row has its own. The projections see all rows at once, the recurrence takes them in order;
//! a row's bits do not depend on the others'.

use crate::engine::Engine;
use crate::observe::{Observer, Part, Step};
use crate::state::{LayerMemory, State};
use crate::weights::{BitLinear, Embedding};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{
    HeadPath, Int8Head, Kernels, MatmulScratch, NotFinite, QuantisedRows, TopLogit, WhyFull, WkvInput,
};
use bitstate_model::Config;

/// What the rows of a batch remember: for each of them the memory of one layer of its session.
pub(crate) trait Sessions {
    fn layer_mut(&mut self, row: usize, layer: usize) -> LayerMemory<'_>;
}

/// The activations of a batch. They live in a state so that a token allocates nothing and an engine can serve many
/// sessions, but they are no part of what a session remembers. Of what is marked `rows` there is one for each row of
/// the batch.
#[derive(Clone)]
pub(crate) struct Activations {
    /// The residual stream, rows of D.
    x: Vec<f32>,
    /// The outputs of the matrices, rows of D; of k rows of F.
    r: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    g: Vec<f32>,
    y: Vec<f32>,
    /// The inputs of the matrices, rows.
    inputs: Inputs,
    /// The normed input of a mix, D.
    z: Vec<f32>,
    /// The head's 15-bit inputs, rows of D, and what one unit of each row is worth.
    head: Vec<i16>,
    head_scales: Vec<f32>,
}

/// The inputs of the matrices, for each matrix that reads the same rows as others one of its own.
#[derive(Clone)]
struct Inputs {
    r: QuantisedRows,
    /// As wide as F, and so the input of what reads k.
    k: QuantisedRows,
    v: QuantisedRows,
    g: QuantisedRows,
    /// What one input is before it is normed, D, and before it is quantised, F.
    mixed: Vec<f32>,
    normed: Vec<f32>,
    scratch: MatmulScratch,
}

impl Inputs {
    /// Empties those of the mixes, for rows of `len` values.
    fn clear(&mut self, len: usize) {
        for input in [&mut self.r, &mut self.k, &mut self.v, &mut self.g] {
            input.clear(len);
        }
    }
}

impl Activations {
    pub fn new(config: &Config, kernels: Kernels) -> Self {
        let (d, f, rows) = (config.n_embd, config.ff_dim(), kernels.batch_rows());
        let zeros = |n: usize| vec![0.0; n];
        let input = |width| QuantisedRows::new(kernels, width, rows);
        Activations {
            x: zeros(rows * d),
            r: zeros(rows * d),
            k: zeros(rows * f),
            v: zeros(rows * d),
            g: zeros(rows * d),
            y: zeros(rows * d),
            inputs: Inputs {
                r: input(d),
                k: input(f),
                v: input(d),
                g: input(d),
                mixed: zeros(d),
                normed: zeros(f),
                scratch: MatmulScratch::new(kernels, f),
            },
            z: zeros(d),
            head: vec![0; rows * d],
            head_scales: zeros(rows),
        }
    }

    /// The residual stream of a row.
    pub fn residual(&self, row: usize) -> &[f32] {
        let d = self.z.len();
        &self.x[row * d..][..d]
    }
}

impl BitLinear<'_> {
    /// Adds a row to the matrix's input: `quantise(layer_norm(x))`.
    fn push(&self, kernels: Kernels, x: &[f32], normed: &mut [f32], input: &mut QuantisedRows) {
        let normed = &mut normed[..x.len()];
        kernels.layer_norm(x, &self.norm.weight, &self.norm.bias, normed);
        input.push(normed);
    }
}

impl Engine<'_> {
    /// One token for each row through all layers; leaves their residual streams in `a`.
    pub(crate) fn layers_forward(
        &self,
        tokens: &[u32],
        sessions: &mut impl Sessions,
        a: &mut Activations,
        observer: &mut impl Observer,
    ) {
        let (n, d) = (tokens.len(), self.config.n_embd);
        observer.part(Part::Steps);
        for (&token, x) in tokens.iter().zip(a.x.chunks_exact_mut(d)) {
            self.embedding.lookup(token as usize, x);
        }
        observer.step(0, Step::Embedding, &a.x[..n * d]);
        for l in 0..self.layers.len() {
            self.time_mix(l, n, sessions, a, observer);
            self.channel_mix(l, n, sessions, a, observer);
        }
    }

    /// `x += o(groupnorm(wkv(r, k, v)) · silu(g))` in `n` rows.
    fn time_mix(
        &self,
        l: usize,
        n: usize,
        sessions: &mut impl Sessions,
        a: &mut Activations,
        observer: &mut impl Observer,
    ) {
        let (kernels, layer) = (self.kernels, &self.layers[l]);
        let (tm, d, s) = (&layer.time_mix, self.config.n_embd, self.config.head_size);
        let Activations { x, r, k, v, g, y, inputs, z, .. } = a;
        let (x, r, k, v) = (&mut x[..n * d], &mut r[..n * d], &mut k[..n * d], &mut v[..n * d]);
        let (g, y) = (&mut g[..n * d], &mut y[..n * d]);

        observer.part(Part::Norms);
        inputs.clear(d);
        for (row, x) in x.chunks_exact(d).enumerate() {
            let shift = sessions.layer_mut(row, l).time_shift;
            kernels.layer_norm(x, &layer.ln1.weight, &layer.ln1.bias, z);
            let Inputs { r, k, v, g, mixed, normed, .. } = inputs;
            for (mu, linear, input) in
                [(&tm.mu_r, &tm.r, r), (&tm.mu_k, &tm.k, k), (&tm.mu_v, &tm.v, v), (&tm.mu_g, &tm.g, g)]
            {
                kernels.mix(z, shift, mu, mixed);
                linear.push(kernels, mixed, normed, input);
            }
            shift.copy_from_slice(z);
        }
        observer.part(Part::Ternary);
        self.apply(&tm.r, &inputs.r, &mut inputs.scratch, r);
        self.apply(&tm.k, &inputs.k, &mut inputs.scratch, k);
        self.apply(&tm.v, &inputs.v, &mut inputs.scratch, v);
        self.apply(&tm.g, &inputs.g, &mut inputs.scratch, g);
        observer.step(l, Step::TimeMixR, r);
        observer.step(l, Step::TimeMixK, k);
        observer.step(l, Step::TimeMixV, v);
        observer.step(l, Step::TimeMixG, g);

        for row in 0..n {
            observer.part(Part::Wkv);
            let wkv = sessions.layer_mut(row, l).wkv;
            for (h, state) in wkv.chunks_exact_mut(s * s).enumerate() {
                let (head, at) = (h * s..(h + 1) * s, row * d + h * s..row * d + (h + 1) * s);
                let (decay, bonus) = (&tm.decay[head.clone()], &tm.bonus[head.clone()]);
                let input = WkvInput { r: &r[at.clone()], k: &k[at.clone()], v: &v[at.clone()], decay, bonus };
                kernels.wkv(input, state, &mut z[head]);
            }
            observer.step(l, Step::Wkv, z);
            observer.part(Part::Norms);
            let (weight, bias) = (tm.group_norm.weight.chunks_exact(s), tm.group_norm.bias.chunks_exact(s));
            let heads = z.chunks_exact(s).zip(y[row * d..][..d].chunks_exact_mut(s));
            for ((z, y), (weight, bias)) in heads.zip(weight.zip(bias)) {
                kernels.layer_norm(z, weight, bias, y);
            }
        }
        observer.part(Part::Steps);
        kernels.silu_gate(y, g);
        observer.step(l, Step::GroupNorm, y);

        observer.part(Part::Norms);
        inputs.clear(d);
        for y in y.chunks_exact(d) {
            tm.o.push(kernels, y, &mut inputs.normed, &mut inputs.r);
        }
        observer.part(Part::Ternary);
        self.apply(&tm.o, &inputs.r, &mut inputs.scratch, y);
        observer.step(l, Step::TimeMixOutput, y);
        observer.part(Part::Steps);
        kernels.add(x, y);
    }

    /// `x += sigmoid(r) · v(relu(k)²)` in `n` rows.
    fn channel_mix(
        &self,
        l: usize,
        n: usize,
        sessions: &mut impl Sessions,
        a: &mut Activations,
        observer: &mut impl Observer,
    ) {
        let (kernels, layer) = (self.kernels, &self.layers[l]);
        let (cm, d, f) = (&layer.channel_mix, self.config.n_embd, self.config.ff_dim());
        let Activations { x, r, k, v, inputs, z, .. } = a;
        let (x, r, k, v) = (&mut x[..n * d], &mut r[..n * d], &mut k[..n * f], &mut v[..n * d]);

        observer.part(Part::Norms);
        inputs.clear(d);
        for (row, x) in x.chunks_exact(d).enumerate() {
            let shift = sessions.layer_mut(row, l).channel_shift;
            kernels.layer_norm(x, &layer.ln2.weight, &layer.ln2.bias, z);
            let Inputs { r, k, mixed, normed, .. } = inputs;
            for (mu, linear, input) in [(&cm.mu_k, &cm.k, k), (&cm.mu_r, &cm.r, r)] {
                kernels.mix(z, shift, mu, mixed);
                linear.push(kernels, mixed, normed, input);
            }
            shift.copy_from_slice(z);
        }
        observer.part(Part::Ternary);
        self.apply(&cm.k, &inputs.k, &mut inputs.scratch, k);
        self.apply(&cm.r, &inputs.r, &mut inputs.scratch, r);
        observer.step(l, Step::ChannelMixK, k);
        observer.step(l, Step::ChannelMixR, r);

        observer.part(Part::Steps);
        kernels.relu_squared(k);
        observer.part(Part::Norms);
        inputs.k.clear(f);
        for k in k.chunks_exact(f) {
            cm.v.push(kernels, k, &mut inputs.normed, &mut inputs.k);
        }
        observer.part(Part::Ternary);
        self.apply(&cm.v, &inputs.k, &mut inputs.scratch, v);
        observer.step(l, Step::ChannelMixV, v);
        observer.part(Part::Steps);
        kernels.sigmoid_gate_add(x, r, v);
    }

    /// `logits = E · layer_norm(x; ln_f)` of the last token that `state` has seen, all of them finite.
    pub(crate) fn head(
        &self,
        state: &mut State,
        logits: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<(), NotFinite> {
        let (kernels, Activations { z, head, .. }) = (self.kernels, &mut state.activations);
        let head = &mut head[..z.len()];
        observer.part(Part::Norms);
        kernels.layer_norm(&state.residual, &self.ln_f.weight, &self.ln_f.bias, z);
        observer.part(Part::Head);
        let finite = match &self.embedding {
            Embedding::F32(rows) => {
                self.head_f32(rows, z, logits);
                kernels.check_finite(logits)
            }
            Embedding::Int8(rows) => {
                let scale = kernels.quantise_15bit(z, head);
                self.head_int8(rows, head, scale, logits);
                check_int8(rows, scale, || kernels.check_finite(logits))
            }
        };
        observer.step(self.layers.len(), Step::FinalNorm, z);
        observer.step(self.layers.len(), Step::Head, logits);
        finite
    }

    /// The logits of each of `states`, no more than a batch of them, in the same order: an INT8 embedding is passed over
    /// once for all where it is laid out for that. An error has the place of its session.
    pub(crate) fn heads(&self, states: &mut [State], logits: &mut [f32]) -> Result<(), (usize, NotFinite)> {
        let vocab_size = self.config.vocab_size;
        // Workers divide the head of one session.
        let (Embedding::Int8(rows), None) = (&self.embedding, self.workers) else {
            let mut sessions = states.iter_mut().zip(logits.chunks_exact_mut(vocab_size)).enumerate();
            return sessions.try_for_each(|(i, (state, logits))| {
                self.head(state, logits, &mut ()).map_err(|not_finite| (i, not_finite))
            });
        };
        let (q, scales) = self.head_inputs(states);
        rows.logits_many(q, scales, logits);
        let mut sessions = scales.iter().zip(logits.chunks_exact(vocab_size)).enumerate();
        sessions.try_for_each(|(i, (&scale, logits))| {
            check_int8(rows, scale, || self.kernels.check_finite(logits)).map_err(|not_finite| (i, not_finite))
        })
    }

    /// The `top.len() / states.len()` largest of them for each of `states`; `room` is V values. An error has the place of
    /// its session.
    pub(crate) fn top_heads(
        &self,
        states: &mut [State],
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> Result<(), (usize, NotFinite)> {
        let (Embedding::Int8(rows), None) = (&self.embedding, self.workers) else {
            let k = top.len() / states.len();
            let mut sessions = states.iter_mut().zip(top.chunks_mut(k)).enumerate();
            return sessions.try_for_each(|(i, (state, top))| {
                self.top_head(state, top, room, &mut ()).map(|_| ()).map_err(|not_finite| (i, not_finite))
            });
        };
        let (d, (q, scales)) = (self.config.n_embd, self.head_inputs(states));
        for (i, (q, &scale)) in q.chunks_exact(d).zip(scales).enumerate() {
            check_int8(rows, scale, || {
                rows.logits(q, scale, room);
                self.kernels.check_finite(room)
            })
            .map_err(|not_finite| (i, not_finite))?;
        }
        rows.top_many(q, scales, top, room);
        Ok(())
    }

    /// What an INT8 head reads of each of `states`, no more than a batch of them and at least one: rows of D, and what
    /// one unit of each is worth.
    fn head_inputs<'s>(&self, states: &'s mut [State]) -> (&'s [i16], &'s [f32]) {
        let (kernels, d, n) = (self.kernels, self.config.n_embd, states.len());
        let [first, others @ ..] = states else { unreachable!("a batch has a session") };
        let Activations { z, head, head_scales, .. } = &mut first.activations;
        let residuals = core::iter::once(&first.residual).chain(others.iter().map(|other| &other.residual));
        for ((x, q), scale) in residuals.zip(head.chunks_exact_mut(d)).zip(&mut *head_scales) {
            kernels.layer_norm(x, &self.ln_f.weight, &self.ln_f.bias, z);
            *scale = kernels.quantise_15bit(z, q);
        }
        (&head[..n * d], &head_scales[..n])
    }

    /// The largest of those logits; `room` is V values.
    pub(crate) fn top_head(
        &self,
        state: &mut State,
        top: &mut [TopLogit],
        room: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<HeadPath, NotFinite> {
        let (kernels, Activations { z, head, .. }) = (self.kernels, &mut state.activations);
        let head = &mut head[..z.len()];
        let Embedding::Int8(rows) = &self.embedding else {
            self.head(state, room, observer)?;
            kernels.top(room, top);
            return Ok(HeadPath::Full(WhyFull::NotInt8));
        };
        observer.part(Part::Norms);
        kernels.layer_norm(&state.residual, &self.ln_f.weight, &self.ln_f.bias, z);
        observer.part(Part::Head);
        let scale = kernels.quantise_15bit(z, head);
        // Bounds would find the largest without a look at the others.
        check_int8(rows, scale, || {
            self.head_int8(rows, head, scale, room);
            kernels.check_finite(room)
        })?;
        Ok(self.top_int8(rows, head, scale, top, room))
    }
}

/// The logits of an INT8 head are looked at by `check` only if the scale of the activations leaves any in doubt.
fn check_int8(rows: &Int8Head<'_>, scale: f32, check: impl FnOnce() -> Result<(), NotFinite>) -> Result<(), NotFinite> {
    if rows.keeps_finite(scale) { Ok(()) } else { check() }
}
