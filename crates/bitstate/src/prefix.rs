//! What a model remembers of a beginning that many texts share.

use crate::checkpoints::Past;
use crate::error::Error;
use crate::session::Session;
use alloc::vec::Vec;
use bitstate_engine::Checkpoint;
use bitstate_protocol::Digest;

/// A beginning that was read once: its tokens, and what the model remembers of them. It is the same bits whoever read it,
/// so that a session that begins from it goes on as if it had read the tokens itself.
#[derive(Clone)]
pub struct Prefix {
    tokens: Vec<u32>,
    checkpoint: Checkpoint,
    bytes: usize,
}

impl Prefix {
    /// The tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a prefix of these tokens can be found by: XXH64 (seed 0) of the ids, u32 little-endian. Compare the tokens
    /// too where others choose them: it is no defence against a forger.
    pub fn key(tokens: &[u32]) -> Digest {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        Digest::of(&bytes)
    }
}

impl Session {
    /// The text so far as the beginning of others; `None` where it is empty, or so long that not all of its tokens are
    /// [still known](Session::last_tokens).
    ///
    /// # Errors
    /// None but where [`next_token`](Session::next_token) chose what the model does not take, which it does not.
    pub fn prefix(&mut self) -> Result<Option<Prefix>, Error> {
        self.take_in_pending()?;
        let tokens: Vec<u32> = self.history.tokens().collect();
        if tokens.is_empty() || tokens.len() as u64 != self.position() {
            return Ok(None);
        }
        let state = self.progress.state();
        let bytes = size_of::<Prefix>() + tokens.len() * 4 + state.saved_len() + self.model.config().n_embd * 4;
        Ok(Some(Prefix { tokens, checkpoint: state.checkpoint(), bytes }))
    }

    /// Begins with a text that was read before, of this model: what comes next is bit for bit what comes after
    /// [`feed`](Session::feed) of its tokens. `false`, and nothing has changed, where the session has seen something already
    /// or the prefix is another model's.
    pub fn feed_prefix(&mut self, prefix: &Prefix) -> bool {
        if self.position() > 0 {
            return false;
        }
        let mut is_ours = false;
        let position = prefix.tokens.len() as u64;
        self.progress.change_state(|state| is_ours = state.return_to(&prefix.checkpoint), 0);
        if !is_ours {
            return false;
        }
        self.progress.change_state(|_| {}, position);
        let sampler = self.progress.sampler_mut();
        prefix.tokens.iter().for_each(|&token| sampler.observe(token));
        let generator = sampler.generator();
        prefix.tokens.iter().for_each(|&token| self.history.push(Past { token, generator, chosen: false }));
        self.place(0);
        true
    }
}
