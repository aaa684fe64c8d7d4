//! The last tokens of a text, and their effect on the logits.

use crate::Sampling;
use alloc::vec;
use alloc::vec::Vec;

/// Marks a count whose token has been processed. Windows are far smaller.
const DONE: u32 = 1 << 31;

/// The last tokens of the window, and how often each occurs among them. It allocates nothing in use.
#[derive(Clone)]
pub(crate) struct Recent {
    window: usize,
    /// A ring buffer once it is full.
    tokens: Vec<u32>,
    oldest: usize,
    /// V values, or none if no penalty uses them.
    counts: Vec<u32>,
}

impl Recent {
    /// For a vocabulary of `vocab_size` tokens; keeps none if `sampling` does not use them.
    pub fn new(sampling: &Sampling, vocab_size: usize) -> Self {
        let (window, room) = if sampling.looks_back() { (sampling.window as usize, vocab_size) } else { (0, 0) };
        Recent { window, tokens: Vec::with_capacity(window), oldest: 0, counts: vec![0; room] }
    }

    /// Adds a token of the text.
    pub fn push(&mut self, token: u32) {
        if self.window == 0 || token as usize >= self.counts.len() {
            return;
        }
        self.counts[token as usize] += 1;
        if self.tokens.len() < self.window {
            self.tokens.push(token);
            return;
        }
        let gone = core::mem::replace(&mut self.tokens[self.oldest], token);
        self.counts[gone as usize] -= 1;
        self.oldest = (self.oldest + 1) % self.window;
    }

    /// The tokens, the oldest first.
    pub fn tokens(&self) -> impl Iterator<Item = u32> {
        let (behind, first) = self.tokens.split_at(self.oldest);
        first.iter().chain(behind).copied()
    }

    /// Removes all tokens.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.oldest = 0;
        self.counts.fill(0);
    }

    /// Steps 1 and 2 of the definition: bias, then the penalties on the last tokens. The logits stay finite.
    pub fn adjust(&mut self, sampling: &Sampling, logits: &mut [f32]) {
        for &(token, bias) in &sampling.bias {
            let logit = &mut logits[token as usize];
            *logit = clamp(*logit + bias);
        }
        for &token in &self.tokens {
            let (logit, count) = (&mut logits[token as usize], &mut self.counts[token as usize]);
            // Once per token, however often it occurs.
            if *count & DONE == 0 {
                let repeated = if *logit > 0.0 { *logit / sampling.repetition } else { *logit * sampling.repetition };
                let taken = *count as f32 * sampling.frequency + sampling.presence;
                *logit = clamp(clamp(repeated) - taken);
                *count |= DONE;
            }
        }
        self.tokens.iter().for_each(|&token| self.counts[token as usize] &= !DONE);
    }
}

/// The nearest finite number.
fn clamp(logit: f32) -> f32 {
    let below = if logit < f32::MAX { logit } else { f32::MAX };
    if below > f32::MIN { below } else { f32::MIN }
}
