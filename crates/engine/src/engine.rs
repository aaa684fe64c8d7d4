//! The engine: a model made ready for one kernel variant.

use crate::error::{EngineError, ForwardError, RestoreError};
use crate::observe::Observer;
use crate::state::State;
use crate::weights::{Embedding, Layer, Norm};
use bitstate_kernels::{Kernels, MAX_N_EMBD, Variant};
use bitstate_model::{Config, Model};
use core::hash::Hasher;
use twox_hash::XxHash64;

use alloc::vec::Vec;

/// A model made ready for one kernel variant. It borrows the embedding, and where the layout is the file's own the
/// matrices too, from the bytes of the file. It does not change in use: many states can share one engine.
pub struct Engine<'m> {
    pub(crate) config: Config,
    pub(crate) kernels: Kernels,
    pub(crate) embedding: Embedding<'m>,
    pub(crate) layers: Vec<Layer<'m>>,
    pub(crate) ln_f: Norm,
    digest: u64,
}

impl<'m> Engine<'m> {
    /// Lays out `model` for `variant`.
    ///
    /// # Errors
    /// Where this machine cannot run the variant, or the engine the model.
    pub fn new(model: &Model<'m>, variant: Variant) -> Result<Self, EngineError> {
        let kernels = Kernels::new(variant)?;
        let config = model.config;
        if matches!(model.embedding, bitstate_model::Embedding::Int8 { .. }) && config.n_embd > MAX_N_EMBD {
            return Err(EngineError::TooWide { n_embd: config.n_embd });
        }
        Ok(Engine {
            config,
            kernels,
            embedding: Embedding::new(model.embedding),
            layers: model.layers.iter().map(|layer| Layer::new(kernels, layer)).collect(),
            ln_f: Norm::new(model.ln_f),
            digest: digest(model.bytes()),
        })
    }

    /// Shapes of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The kernel variant that runs.
    pub fn variant(&self) -> Variant {
        self.kernels.variant()
    }

    /// The kernels it runs on.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// XXH64 (seed 0) of the model file.
    pub fn model_digest(&self) -> u64 {
        self.digest
    }

    /// The state of a session that has seen nothing yet.
    pub fn new_state(&self) -> State {
        State::new(&self.config, self.kernels, self.digest)
    }

    /// Takes `state` one token further and writes the logits of the next token: V values.
    ///
    /// # Errors
    /// Where the token is not the model's, or `state` or `logits` are not made for it; nothing has changed then.
    pub fn forward(&self, token: u32, state: &mut State, logits: &mut [f32]) -> Result<(), ForwardError> {
        self.forward_observed(token, state, logits, &mut ())
    }

    /// [`forward`](Engine::forward), with every step's output shown to `observer`.
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
        self.check(&[token], state, logits)?;
        self.layers_forward(&[token], &mut &mut state.memory, &mut state.activations, observer);
        self.head(0, &mut state.activations, logits, observer);
        Ok(())
    }

    /// Takes `state` through a prompt and writes the logits after its last token; bit for bit what feeding the
    /// tokens one by one gives.
    ///
    /// # Errors
    /// Where the prompt is empty or any of its tokens is not the model's; nothing has changed then.
    pub fn prefill(&self, prompt: &[u32], state: &mut State, logits: &mut [f32]) -> Result<(), ForwardError> {
        if prompt.is_empty() {
            return Err(ForwardError::EmptyPrompt);
        }
        self.check(prompt, state, logits)?;
        let mut last = 0;
        for tokens in prompt.chunks(self.kernels.batch_rows()) {
            self.layers_forward(tokens, &mut &mut state.memory, &mut state.activations, &mut ());
            last = tokens.len() - 1;
        }
        self.head(last, &mut state.activations, logits, &mut ());
        Ok(())
    }

    /// Takes each of many sessions one token further: `tokens[i]` in `states[i]`, its logits in the `i`-th V values of
    /// `logits`. One pass over the weights serves many of them; bit for bit what each alone gives.
    ///
    /// # Errors
    /// Where there are not as many tokens as states, or any token, state or the logits are not made for this model;
    /// nothing has changed then.
    pub fn forward_many(&self, tokens: &[u32], states: &mut [State], logits: &mut [f32]) -> Result<(), ForwardError> {
        let vocab_size = self.config.vocab_size;
        if tokens.len() != states.len() {
            return Err(ForwardError::Sessions { tokens: tokens.len(), states: states.len() });
        }
        if logits.len() != tokens.len() * vocab_size {
            return Err(ForwardError::Logits { found: logits.len(), expected: tokens.len() * vocab_size });
        }
        for (&token, state) in tokens.iter().zip(&*states) {
            self.check_token(token)?;
            self.check_state(state)?;
        }
        let rows = self.kernels.batch_rows();
        let batches = tokens.chunks(rows).zip(states.chunks_mut(rows)).zip(logits.chunks_mut(rows * vocab_size));
        for ((tokens, states), logits) in batches {
            let Some((first, others)) = states.split_first_mut() else { continue };
            self.layers_forward(tokens, &mut (&mut first.memory, others), &mut first.activations, &mut ());
            for (row, logits) in logits.chunks_exact_mut(vocab_size).enumerate() {
                self.head(row, &mut first.activations, logits, &mut ());
            }
        }
        Ok(())
    }

    fn check(&self, tokens: &[u32], state: &State, logits: &[f32]) -> Result<(), ForwardError> {
        for &token in tokens {
            self.check_token(token)?;
        }
        if logits.len() != self.config.vocab_size {
            return Err(ForwardError::Logits { found: logits.len(), expected: self.config.vocab_size });
        }
        self.check_state(state)
    }

    fn check_token(&self, token: u32) -> Result<(), ForwardError> {
        let vocab_size = self.config.vocab_size;
        if (token as usize) < vocab_size { Ok(()) } else { Err(ForwardError::Token { token, vocab_size }) }
    }

    fn check_state(&self, state: &State) -> Result<(), ForwardError> {
        if state.is_of(self.digest, self.kernels.variant()) { Ok(()) } else { Err(ForwardError::State) }
    }
    /// Reads back what [`State::to_bytes`] wrote, for this model and any variant.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    pub fn restore_state(&self, bytes: &[u8]) -> Result<State, RestoreError> {
        let mut state = self.new_state();
        state.read(bytes)?;
        Ok(state)
    }
}

/// The digest of a run of bytes, as the engine takes it of a model file.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(bytes);
    hasher.finish()
}
