//! The windows of text that training sees.

use super::tokens::TokenFile;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// Windows of `seq_len + 1` tokens, every one once an epoch, in an order of the epoch's own.
///
/// Each epoch cuts the text at another place. What comes next follows from the seed, the epoch and the position alone,
/// so a run that goes on from there sees what it would have seen.
#[derive(Debug, Clone)]
pub struct Windows {
    seed: u64,
    seq_len: usize,
    /// Windows an epoch.
    count: usize,
    epoch: u64,
    next: usize,
    phase: usize,
    order: Vec<u32>,
}

impl Windows {
    /// The windows of `tokens` tokens, from `position` of `epoch` on. None where they are not enough for one.
    pub fn new(tokens: usize, seq_len: usize, seed: u64, [epoch, position]: [u64; 2]) -> Option<Windows> {
        // One window less than there would be room for, so that every phase has as many.
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

    /// Tokens of a window that go in.
    pub fn seq_len(&self) -> usize {
        self.seq_len
    }

    /// Windows an epoch.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Appends the next window to `inputs`, and the tokens that follow each of them to `targets`.
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
