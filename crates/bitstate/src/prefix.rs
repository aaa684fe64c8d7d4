//! Prefixes that many sessions share.

use crate::checkpoints::Past;
use crate::error::Error;
use crate::session::Session;
use alloc::vec::Vec;
use bitstate_engine::Checkpoint;
use bitstate_protocol::Digest;

/// The tokens at the start of a text and the model's state after them. A session that starts from a prefix continues bit for
/// bit as if it had processed the tokens itself.
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

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A key for caches: XXH64 (seed 0) of the ids, u32 little-endian. Compare the tokens too if clients choose them: the key
    /// is not a defence against forgery.
    pub fn key(tokens: &[u32]) -> Digest {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        Digest::of(&bytes)
    }
}

impl Session {
    /// The text so far as a prefix; `None` if it is empty, or longer than the tokens that are
    /// [kept](Session::keep_last_tokens).
    ///
    /// # Errors
    /// If the token chosen last is not of this model, which does not happen.
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

    /// Starts a new session from a prefix; the same, bit for bit, as [`feed`](Session::feed) of its tokens. Returns `false` and
    /// changes nothing if the session is not new or the prefix is of another model.
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
