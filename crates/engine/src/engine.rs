//! The engine: a model prepared for one kernel variant.

use crate::digest::digest;
use crate::error::{EngineError, ForwardError, RestoreError};
use crate::observe::Observer;
use crate::state::State;
use crate::weights::{Embedding, Layer, Norm};
use crate::workers::Workers;
use alloc::vec::Vec;
use bitstate_kernels::{HeadPath, Kernels, MAX_N_EMBD, NotFinite, TopLogit, Variant};
use bitstate_model::{Config, Model};
use core::borrow::BorrowMut;

/// A model prepared for one kernel variant. It borrows the embedding from the bytes of the file, and the matrices too
/// if the variant uses the file's layout. It is immutable in use: many states can share one engine.
pub struct Engine<'m> {
    pub(crate) config: Config,
    pub(crate) kernels: Kernels,
    pub(crate) embedding: Embedding<'m>,
    pub(crate) layers: Vec<Layer<'m>>,
    pub(crate) ln_f: Norm,
    pub(crate) workers: Option<&'m dyn Workers>,
    digest: u64,
}

impl<'m> Engine<'m> {
    /// Lays out `model` for `variant`.
    ///
    /// # Errors
    /// If this machine cannot run the variant, or the engine the model.
    pub fn new(model: &Model<'m>, variant: Variant) -> Result<Self, EngineError> {
        let kernels = Kernels::new(variant)?;
        let config = model.config;
        if matches!(model.embedding, bitstate_model::Embedding::Int8 { .. }) && config.n_embd > MAX_N_EMBD {
            return Err(EngineError::TooWide { n_embd: config.n_embd });
        }
        Ok(Engine {
            config,
            kernels,
            embedding: Embedding::new(kernels, model.embedding),
            layers: model.layers.iter().map(|layer| Layer::new(kernels, layer)).collect(),
            ln_f: Norm::new(model.ln_f),
            workers: None,
            digest: digest(model.bytes()),
        })
    }

    /// Makes a second copy of an INT8 embedding, V × D bytes, so that [`forward_many`](Engine::forward_many) passes
    /// over it once for many sessions instead of once for each, and [`top_logits_many`](Engine::top_logits_many) of
    /// four and more sessions is faster than with half of the bytes, unless workers are set. The logits keep their
    /// bits.
    pub fn lay_out_for_many(&mut self) {
        if let Embedding::Int8(head) = &mut self.embedding {
            head.lay_out_for_many();
        }
    }

    /// Copies ternary matrices that are borrowed from the file to the heap, as many as fit into `budget` bytes, for a
    /// chip whose heap is in faster memory than the file. The logits keep their bits. Returns the number of bytes.
    pub fn copy_weights(&mut self, budget: usize) -> usize {
        let mut copied = 0;
        for matrix in self.layers.iter_mut().flat_map(Layer::matrices_mut) {
            let bytes = matrix.borrowed_bytes();
            if bytes <= budget - copied {
                matrix.own();
                copied += bytes;
            }
        }
        copied
    }

    /// Shapes of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The kernel variant in use.
    pub fn variant(&self) -> Variant {
        self.kernels.variant()
    }

    /// The kernels in use.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// XXH64 (seed 0) of the model file.
    pub fn model_digest(&self) -> u64 {
        self.digest
    }

    /// The state of a new session.
    pub fn new_state(&self) -> State {
        State::new(&self.config, self.kernels, self.digest)
    }

    /// Advances `state` by `tokens` without computing logits. The result for many tokens is bit for bit that of the
    /// tokens one by one, but the weights are read once for several of them.
    ///
    /// # Errors
    /// If there is no token, any of them is not the model's, or `state` does not belong to this engine; then nothing
    /// has changed.
    pub fn advance(&self, tokens: &[u32], state: &mut State) -> Result<(), ForwardError> {
        self.advance_observed(tokens, state, &mut ())
    }

    /// [`advance`](Engine::advance), reporting every step's output to `observer`.
    ///
    /// # Errors
    /// As `advance`.
    pub fn advance_observed(
        &self,
        tokens: &[u32],
        state: &mut State,
        observer: &mut impl Observer,
    ) -> Result<(), ForwardError> {
        if tokens.is_empty() {
            return Err(ForwardError::EmptyPrompt);
        }
        for &token in tokens {
            self.check_token(token)?;
        }
        self.check_state(state)?;
        self.advance_checked(tokens, state, observer);
        Ok(())
    }

    /// Computes the logits of the token after the last one in `state`: V values.
    ///
    /// # Errors
    /// If `state` has had no token, or it or `logits` does not belong to this model; then nothing has changed. If a
    /// logit is NaN or infinite: `logits` contains it.
    pub fn logits(&self, state: &mut State, logits: &mut [f32]) -> Result<(), ForwardError> {
        self.logits_observed(state, logits, &mut ())
    }

    /// [`logits`](Engine::logits), reporting every step's output to `observer`.
    ///
    /// # Errors
    /// As `logits`.
    pub fn logits_observed(
        &self,
        state: &mut State,
        logits: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<(), ForwardError> {
        self.check_logits(logits)?;
        self.check_seen(state)?;
        Ok(self.head(state, logits, observer)?)
    }

    /// Computes the `top.len()` largest of the [`logits`](Engine::logits), with their tokens: the largest first, equal
    /// ones by token, a NaN below every number. Returns how they were found: with a large INT8 head, little more than
    /// half of its bytes is read. `room` is a work buffer of V values with unspecified contents afterwards.
    ///
    /// # Errors
    /// If `state` has had no token, more logits are requested than there are, `state` or `room` does not belong to this
    /// model, or any logit, among the largest or not, is NaN or infinite; then `top` has not changed.
    pub fn top_logits(
        &self,
        state: &mut State,
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> Result<HeadPath, ForwardError> {
        self.top_logits_observed(state, top, room, &mut ())
    }

    /// [`top_logits`](Engine::top_logits), reporting its parts to `observer`.
    ///
    /// # Errors
    /// As `top_logits`.
    pub fn top_logits_observed(
        &self,
        state: &mut State,
        top: &mut [TopLogit],
        room: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<HeadPath, ForwardError> {
        self.check_logits(room)?;
        self.check_seen(state)?;
        if top.len() > room.len() {
            return Err(ForwardError::Top { asked: top.len(), vocab_size: room.len() });
        }
        Ok(self.top_head(state, top, room, observer)?)
    }

    /// Advances `state` by one token and computes the logits of the next token, V values: [`advance`](Engine::advance),
    /// then [`logits`](Engine::logits).
    ///
    /// # Errors
    /// If the token is not the model's, or `state` or `logits` does not belong to it; then nothing has changed. If a
    /// logit is NaN or infinite: `state` has advanced, and `logits` contains it.
    pub fn forward(&self, token: u32, state: &mut State, logits: &mut [f32]) -> Result<(), ForwardError> {
        self.forward_observed(token, state, logits, &mut ())
    }

    /// [`forward`](Engine::forward), reporting every step's output to `observer`.
    ///
    /// # Errors
    /// As `forward`.
    pub fn forward_observed(
        &self,
        token: u32,
        state: &mut State,
        logits: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<(), ForwardError> {
        self.check_token(token)?;
        self.check_logits(logits)?;
        self.check_state(state)?;
        self.advance_checked(&[token], state, observer);
        Ok(self.head(state, logits, observer)?)
    }

    /// Advances `state` by a prompt and computes the logits after its last token, V values:
    /// [`advance`](Engine::advance), then [`logits`](Engine::logits).
    ///
    /// # Errors
    /// If the prompt is empty, any of its tokens is not the model's, or `state` or `logits` does not belong to it; then
    /// nothing has changed. If a logit is NaN or infinite: `state` has advanced.
    pub fn prefill(&self, prompt: &[u32], state: &mut State, logits: &mut [f32]) -> Result<(), ForwardError> {
        self.check_logits(logits)?;
        self.advance(prompt, state)?;
        Ok(self.head(state, logits, &mut ())?)
    }

    /// Advances each of many sessions by one token, `tokens[i]` in `states[i]`. One pass over the weights serves
    /// several of them; the result is bit for bit that of each alone.
    ///
    /// # Errors
    /// If the numbers of tokens and states differ, or any token or state does not belong to this model; then nothing
    /// has changed.
    pub fn advance_many<S: BorrowMut<State>>(&self, tokens: &[u32], states: &mut [S]) -> Result<(), ForwardError> {
        if tokens.len() != states.len() {
            return Err(ForwardError::Sessions { tokens: tokens.len(), states: states.len() });
        }
        for (&token, state) in tokens.iter().zip(&*states) {
            self.check_token(token)?;
            self.check_state(state.borrow())?;
        }
        let rows = self.kernels.batch_rows();
        for (tokens, states) in tokens.chunks(rows).zip(states.chunks_mut(rows)) {
            let Some((first, others)) = states.split_first_mut() else { continue };
            let first = first.borrow_mut();
            let State { memory, activations, .. } = first;
            self.layers_forward(tokens, &mut (memory, &mut *others), activations, &mut ());
            for (row, other) in (1..).zip(others) {
                other.borrow_mut().take_residual(first.activations.residual(row));
            }
            first.take_own_residual(0);
        }
        Ok(())
    }

    /// [`advance_many`](Engine::advance_many), then the logits of each session: those of `states[i]` in the `i`-th V
    /// values of `logits`.
    ///
    /// # Errors
    /// As `advance_many`, and if `logits` does not have V values for each session. If a logit is NaN or infinite: the
    /// error names the first such session, and all sessions have advanced.
    pub fn forward_many<S: BorrowMut<State>>(
        &self,
        tokens: &[u32],
        states: &mut [S],
        logits: &mut [f32],
    ) -> Result<(), ForwardError> {
        self.check_logits_many(logits, states.len())?;
        self.advance_many(tokens, states)?;
        self.heads_many(states, logits)
    }

    /// The logits of each session, as [`logits`](Engine::logits) gives them of each alone: those of `states[i]` in the
    /// `i`-th V values of `logits`.
    ///
    /// # Errors
    /// Where any state has seen nothing, or is not made for this model, or `logits` does not have V values for each
    /// session; nothing has changed then. Where a logit is NaN or infinite: the error names the first session that has one.
    pub fn logits_many<S: BorrowMut<State>>(&self, states: &mut [S], logits: &mut [f32]) -> Result<(), ForwardError> {
        self.check_logits_many(logits, states.len())?;
        for state in &*states {
            self.check_seen(state.borrow())?;
        }
        self.heads_many(states, logits)
    }

    /// [`logits_many`](Engine::logits_many) with everything checked.
    fn heads_many<S: BorrowMut<State>>(&self, states: &mut [S], logits: &mut [f32]) -> Result<(), ForwardError> {
        let vocab_size = self.config.vocab_size;
        let rows = self.kernels.batch_rows();
        let batches = states.chunks_mut(rows).zip(logits.chunks_mut(rows * vocab_size));
        for (first, (states, logits)) in (0..).step_by(rows).zip(batches) {
            self.heads(states, logits).map_err(not_finite(first))?;
        }
        Ok(())
    }

    /// The largest logits of each session, the same number for each, as [`top_logits`](Engine::top_logits) returns for
    /// each alone: those of `states[i]` in the `i`-th part of `top`. `room` is a work buffer of V values with
    /// unspecified contents afterwards.
    ///
    /// # Errors
    /// If any state has had no token, more logits are requested than there are, `top` cannot be divided evenly among
    /// the states, or any state or `room` does not belong to this model; then nothing has changed. If any logit of a
    /// session is NaN or infinite: the error names the first such session.
    pub fn top_logits_many<S: BorrowMut<State>>(
        &self,
        states: &mut [S],
        top: &mut [TopLogit],
        room: &mut [f32],
    ) -> Result<(), ForwardError> {
        let (vocab_size, sessions) = (self.config.vocab_size, states.len());
        self.check_logits(room)?;
        for state in &*states {
            self.check_seen(state.borrow())?;
        }
        if !top.len().is_multiple_of(sessions.max(1)) || top.len() > sessions * vocab_size {
            return Err(ForwardError::TopMany { asked: top.len(), sessions, vocab_size });
        }
        let (rows, k) = (self.kernels.batch_rows(), top.len() / sessions.max(1));
        if k == 0 {
            return Ok(());
        }
        for (first, (states, top)) in (0..).step_by(rows).zip(states.chunks_mut(rows).zip(top.chunks_mut(rows * k))) {
            self.top_heads(states, top, room).map_err(not_finite(first))?;
        }
        Ok(())
    }

    /// Restores the output of [`State::to_bytes`], for this model and any variant.
    ///
    /// # Errors
    /// Describes what is wrong with the bytes.
    pub fn restore_state(&self, bytes: &[u8]) -> Result<State, RestoreError> {
        let mut state = self.new_state();
        state.read(bytes)?;
        Ok(state)
    }

    /// [`advance`](Engine::advance) with at least one token, after all checks.
    fn advance_checked(&self, tokens: &[u32], state: &mut State, observer: &mut impl Observer) {
        let mut last = 0;
        for tokens in tokens.chunks(self.kernels.batch_rows()) {
            self.layers_forward(tokens, &mut &mut state.memory, &mut state.activations, observer);
            last = tokens.len() - 1;
        }
        state.take_own_residual(last);
    }

    fn check_token(&self, token: u32) -> Result<(), ForwardError> {
        let vocab_size = self.config.vocab_size;
        if (token as usize) < vocab_size { Ok(()) } else { Err(ForwardError::Token { token, vocab_size }) }
    }

    fn check_logits(&self, logits: &[f32]) -> Result<(), ForwardError> {
        let (found, expected) = (logits.len(), self.config.vocab_size);
        if found == expected { Ok(()) } else { Err(ForwardError::Logits { found, expected }) }
    }

    fn check_logits_many(&self, logits: &[f32], sessions: usize) -> Result<(), ForwardError> {
        let (found, expected) = (logits.len(), sessions * self.config.vocab_size);
        if found == expected { Ok(()) } else { Err(ForwardError::Logits { found, expected }) }
    }

    fn check_state(&self, state: &State) -> Result<(), ForwardError> {
        if state.is_of(self.digest, self.kernels.variant()) { Ok(()) } else { Err(ForwardError::State) }
    }

    fn check_seen(&self, state: &State) -> Result<(), ForwardError> {
        self.check_state(state)?;
        if state.has_residual() { Ok(()) } else { Err(ForwardError::NothingSeen) }
    }
}

/// Converts the error of a batch whose first session is number `first` of the call.
fn not_finite(first: usize) -> impl Fn((usize, NotFinite)) -> ForwardError {
    move |(i, NotFinite { token })| ForwardError::NotFiniteMany { session: first + i, token }
}
