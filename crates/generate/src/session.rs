//! A prompt continued token by token.

use crate::{Sampler, Sampling, SamplingError};
use alloc::vec;
use alloc::vec::Vec;
use bitstate_engine::{Engine, ForwardError, State};

/// One text in the making: an engine, its state, the logits of the next token and the sampler that will choose it.
/// After [`new`](Session::new) nothing is allocated.
pub struct Session<'e, 'm> {
    engine: &'e Engine<'m>,
    state: State,
    logits: Vec<f32>,
    sampler: Sampler,
}

impl<'e, 'm> Session<'e, 'm> {
    /// A session that has seen nothing yet.
    ///
    /// # Errors
    /// Where a sampling parameter is out of its range.
    pub fn new(engine: &'e Engine<'m>, sampling: Sampling) -> Result<Self, SamplingError> {
        let vocab_size = engine.config().vocab_size;
        let sampler = Sampler::new(sampling, vocab_size, engine.kernels())?;
        Ok(Session { engine, state: engine.new_state(), logits: vec![0.0; vocab_size], sampler })
    }

    /// Takes in a prompt; more than one may follow each other.
    ///
    /// # Errors
    /// Where the prompt is empty or a token of it is not the model's; the session is as before then.
    pub fn feed(&mut self, prompt: &[u32]) -> Result<(), ForwardError> {
        self.engine.prefill(prompt, &mut self.state, &mut self.logits)?;
        for &token in prompt {
            self.sampler.observe(token);
        }
        Ok(())
    }

    /// The logits of the next token.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Chooses the next token from the logits; they are not read again until [`advance`](Session::advance).
    pub fn choose(&mut self) -> u32 {
        self.sampler.sample(&self.logits)
    }

    /// Takes in the token chosen, so that the logits are those of the one after it.
    ///
    /// # Errors
    /// Where the token is not the model's.
    pub fn advance(&mut self, token: u32) -> Result<(), ForwardError> {
        self.engine.forward(token, &mut self.state, &mut self.logits)
    }

    /// What the session remembers of its text.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Goes on from a state of this engine. The sampler's memory of tokens stays as it is.
    pub fn set_state(&mut self, state: State) {
        self.state = state;
    }
}
