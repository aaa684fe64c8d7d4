//! The forward pass, each line a step of the definition, for as many rows at once as a batch has.
//!
//! A row is one token of one session. In a prefill all rows are consecutive tokens of one session; in decoding many
//! sessions together, each row has its own. The projections process all rows at once, the recurrence processes them in
//! order; a row's bits do not depend on the others.

use crate::activations::{Activations, Inputs};
use crate::engine::Engine;
use crate::memory::Sessions;
use crate::observe::{Observer, Part, Step};
use crate::state::State;
use crate::weights::Embedding;
use bitstate_kernels::{GatedInput, HeadPath, Int8Head, NotFinite, TopLogit, WhyFull, WkvInput};
use core::borrow::BorrowMut;

impl Engine<'_> {
    /// Passes one token per row through all layers; leaves their residual streams in `a`.
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
            let Inputs { r, k, v, g, room, .. } = inputs;
            let mixes = [tm.r.mix(&tm.mu_r), tm.k.mix(&tm.mu_k), tm.v.mix(&tm.mu_v), tm.g.mix(&tm.mu_g)];
            kernels.mix_inputs(z, shift, mixes, room, [r, k, v, g]);
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

        // The input of `r` is no longer needed; that of `o` takes its place.
        inputs.r.clear(d);
        for row in 0..n {
            observer.part(Part::Wkv);
            let (at, decay, bonus) = (row * d..(row + 1) * d, &tm.decay, &tm.bonus);
            let input = WkvInput { r: &r[at.clone()], k: &k[at.clone()], v: &v[at], decay, bonus };
            kernels.wkv(s, input, sessions.layer_mut(row, l).wkv, z);
            observer.step(l, Step::Wkv, z);
            observer.part(Part::Norms);
            let (g, y, Inputs { r, room, .. }) = (&g[row * d..][..d], &mut y[row * d..][..d], &mut *inputs);
            let (group_norm, norm) = (tm.group_norm.input(), tm.o.norm.input());
            kernels.gated_input(GatedInput { x: z, head_size: s, group_norm, g, norm }, y, room, r);
        }
        observer.step(l, Step::GroupNorm, y);
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
            let Inputs { r, k, room, .. } = inputs;
            kernels.mix_inputs(z, shift, [cm.k.mix(&cm.mu_k), cm.r.mix(&cm.mu_r)], room, [k, r]);
            shift.copy_from_slice(z);
        }
        observer.part(Part::Ternary);
        self.apply(&cm.k, &inputs.k, &mut inputs.scratch, k);
        observer.step(l, Step::ChannelMixK, k);
        observer.part(Part::Norms);
        inputs.k.clear(f);
        for k in k.chunks_exact(f) {
            kernels.relu_squared_input(k, cm.v.norm.input(), &mut inputs.room, &mut inputs.k);
        }
        // Between the norm and its consumer, to overlap with the latency of the norm.
        observer.part(Part::Ternary);
        self.apply(&cm.r, &inputs.r, &mut inputs.scratch, r);
        observer.step(l, Step::ChannelMixR, r);
        self.apply(&cm.v, &inputs.k, &mut inputs.scratch, v);
        observer.step(l, Step::ChannelMixV, v);
        observer.part(Part::Steps);
        kernels.sigmoid_gate_add(x, r, v);
    }

    /// `logits = E · layer_norm(x; ln_f)` of the last token in `state`; an error unless all are finite.
    pub(crate) fn head(
        &self,
        state: &mut State,
        logits: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<(), NotFinite> {
        let (kernels, Activations { z, order, head, .. }) = (self.kernels, &mut state.activations);
        let (order, head) = (order.turn(), &mut head[..z.len()]);
        observer.part(Part::Norms);
        kernels.layer_norm(&state.residual, &self.ln_f.weight, &self.ln_f.bias, z);
        observer.part(Part::Head);
        let finite = match &self.embedding {
            Embedding::F32(rows) => {
                self.head_f32(rows, z, logits, order);
                kernels.check_finite(logits)
            }
            Embedding::Int8(rows) => {
                let scale = kernels.quantise_15bit(z, head);
                self.head_int8(rows, head, scale, logits, order);
                check_int8(rows, scale, || kernels.check_finite(logits))
            }
        };
        observer.step(self.layers.len(), Step::FinalNorm, z);
        observer.step(self.layers.len(), Step::Head, logits);
        finite
    }

    /// The logits of each of `states`, at most one batch, in the same order: one pass over an INT8 embedding serves all
    /// sessions, if it is laid out for that. An error carries the index of its session.
    pub(crate) fn heads<S: BorrowMut<State>>(
        &self,
        states: &mut [S],
        logits: &mut [f32],
    ) -> Result<(), (usize, NotFinite)> {
        let vocab_size = self.config.vocab_size;
        // Workers divide the head of a single session.
        let (Embedding::Int8(rows), None) = (&self.embedding, self.workers) else {
            let mut sessions = states.iter_mut().zip(logits.chunks_exact_mut(vocab_size)).enumerate();
            return sessions.try_for_each(|(i, (state, logits))| {
                self.head(state.borrow_mut(), logits, &mut ()).map_err(|not_finite| (i, not_finite))
            });
        };
        let (q, scales) = self.head_inputs(states);
        rows.logits_many(q, scales, logits);
        let mut sessions = scales.iter().zip(logits.chunks_exact(vocab_size)).enumerate();
        sessions.try_for_each(|(i, (&scale, logits))| {
            check_int8(rows, scale, || self.kernels.check_finite(logits)).map_err(|not_finite| (i, not_finite))
        })
    }

    /// The `top.len() / states.len()` largest logits for each of `states`; `room` has V values. An error carries the
    /// index of its session.
    pub(crate) fn top_heads<S: BorrowMut<State>>(
        &self,
        states: &mut [S],
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> Result<(), (usize, NotFinite)> {
        let rows = match (&self.embedding, self.workers) {
            (Embedding::Int8(rows), None) if rows.shares_a_pass(states.len()) => rows,
            _ => return self.top_heads_one_by_one(states, top, room),
        };
        let order = states[0].borrow_mut().activations.order.turn();
        let (d, (q, scales)) = (self.config.n_embd, self.head_inputs(states));
        for (i, (q, &scale)) in q.chunks_exact(d).zip(scales).enumerate() {
            check_int8(rows, scale, || {
                rows.logits(q, scale, room);
                self.kernels.check_finite(room)
            })
            .map_err(|not_finite| (i, not_finite))?;
        }
        rows.top_many(q, scales, top, room, order);
        Ok(())
    }

    /// [`top_heads`](Self::top_heads) with a pass over the head for each session, in turn from the first row to the last
    /// and back.
    fn top_heads_one_by_one<S: BorrowMut<State>>(
        &self,
        states: &mut [S],
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> Result<(), (usize, NotFinite)> {
        let (k, mut order) = (top.len() / states.len(), states[0].borrow_mut().activations.order);
        for (i, (state, top)) in states.iter_mut().zip(top.chunks_mut(k)).enumerate() {
            let state = state.borrow_mut();
            state.activations.order = order.turn();
            self.top_head(state, top, room, &mut ()).map_err(|not_finite| (i, not_finite))?;
        }
        states[0].borrow_mut().activations.order = order;
        Ok(())
    }

    /// The inputs of an INT8 head for each of `states`, at least one and at most one batch: rows of D, and the scale of
    /// each.
    fn head_inputs<'s, S: BorrowMut<State>>(&self, states: &'s mut [S]) -> (&'s [i16], &'s [f32]) {
        let (kernels, d, n) = (self.kernels, self.config.n_embd, states.len());
        let [first, others @ ..] = states else { unreachable!("a batch has a session") };
        let State { residual, activations: Activations { z, head, head_scales, .. }, .. } = first.borrow_mut();
        let residuals = core::iter::once(&*residual).chain(others.iter().map(|other| &other.borrow().residual));
        for ((x, q), scale) in residuals.zip(head.chunks_exact_mut(d)).zip(&mut *head_scales) {
            kernels.layer_norm(x, &self.ln_f.weight, &self.ln_f.bias, z);
            *scale = kernels.quantise_15bit(z, q);
        }
        (&head[..n * d], &head_scales[..n])
    }

    /// The largest of these logits; `room` has V values.
    pub(crate) fn top_head(
        &self,
        state: &mut State,
        top: &mut [TopLogit],
        room: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<HeadPath, NotFinite> {
        let kernels = self.kernels;
        let Embedding::Int8(rows) = &self.embedding else {
            self.head(state, room, observer)?;
            kernels.top(room, top);
            return Ok(HeadPath::Full(WhyFull::NotInt8));
        };
        let Activations { z, order, head, .. } = &mut state.activations;
        let (order, head) = (order.turn(), &mut head[..z.len()]);
        observer.part(Part::Norms);
        kernels.layer_norm(&state.residual, &self.ln_f.weight, &self.ln_f.bias, z);
        observer.part(Part::Head);
        let scale = kernels.quantise_15bit(z, head);
        // Bounds would find the largest without computing the others.
        check_int8(rows, scale, || {
            self.head_int8(rows, head, scale, room, order);
            kernels.check_finite(room)
        })?;
        Ok(self.top_int8(rows, head, scale, top, room, order))
    }
}

/// Runs `check` on the logits of an INT8 head only if the scale of the activations allows any to overflow.
fn check_int8(rows: &Int8Head<'_>, scale: f32, check: impl FnOnce() -> Result<(), NotFinite>) -> Result<(), NotFinite> {
    if rows.keeps_finite(scale) { Ok(()) } else { check() }
}
