//! The windows of text that training reads.

use super::tokens::TokenFile;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// Windows of `seq_len + 1` tokens, each once per epoch, in a different order each epoch.
///
/// Each epoch splits the text at other positions. The next window depends only on the seed, the epoch and the position,
/// so a resumed run reads the same windows.
#[derive(Debug, Clone)]
pub struct Windows {
    seed: u64,
    seq_len: usize,
    /// Windows per epoch.
    count: usize,
    epoch: u64,
    next: usize,
    phase: usize,
    order: Vec<u32>,
}

impl Windows {
    /// The windows of `tokens` tokens, starting at `position` of `epoch`. `None` if the text is shorter than one
    /// window.
    pub fn new(tokens: usize, seq_len: usize, seed: u64, [epoch, position]: [u64; 2]) -> Option<Windows> {
        // One window less than would fit, so that every offset gives the same number.
        let count = tokens.checked_sub(1)?.checked_sub(seq_len - 1)? / seq_len;
        if count == 0 {
            return None;
        }
        let next = position as usize;
        let mut windows = Windows { seed, seq_len, count, epoch, next, phase: 0, order: Vec::new() };
        windows.shuffle();
        Some(windows)
    }

    /// Epoch and position of the next window.
    pub fn position(&self) -> [u64; 2] {
        [self.epoch, self.next as u64]
    }

    /// Input tokens per window.
    pub fn seq_len(&self) -> usize {
        self.seq_len
    }

    /// Windows per epoch.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Appends the next window to `inputs`, and the token that follows each of its tokens to `targets`.
    pub fn next(&mut self, tokens: &TokenFile, inputs: &mut Vec<u32>, targets: &mut Vec<u32>) {
        if self.next >= self.count {
            self.epoch += 1;
            self.next = 0;
            self.shuffle();
        }
        let start = self.phase + self.order[self.next] as usize * self.seq_len;
        self.next += 1;
        inputs.extend((start..start + self.seq_len).map(|i| tokens.get(i)));
        targets.extend((start + 1..=start + self.seq_len).map(|i| tokens.get(i)));
    }

    fn shuffle(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.epoch + 1);
        self.phase = rng.random_range(0..self.seq_len);
        self.order = (0..self.count as u32).collect();
        self.order.shuffle(&mut rng);
    }
}
