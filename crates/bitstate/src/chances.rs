//! Token probabilities, as defined in `crates/ARITHMETIC.md`.

use alloc::vec;
use alloc::vec::Vec;
use bitstate_engine::TopLogit;
use bitstate_kernels::Kernels;

/// A possible next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alternative {
    /// The token.
    pub token: u32,
    /// The natural logarithm of its probability from the model's unmodified logits, before any sampler.
    pub logprob: f32,
}

/// The probabilities of all tokens.
pub(crate) struct Chances<'l> {
    logits: &'l [f32],
    largest: f32,
    /// `ln Σ exp(logit - largest)`.
    log_sum: f64,
}

impl<'l> Chances<'l> {
    /// From logits that are finite.
    pub fn new(logits: &'l [f32], kernels: Kernels) -> Self {
        let largest = logits.iter().copied().fold(f32::MIN, |a, b| if b > a { b } else { a });
        let mut weights: Vec<f32> = logits.iter().map(|logit| logit - largest).collect();
        kernels.exp(&mut weights);
        let sum: f64 = weights.iter().fold(0.0, |sum, &weight| sum + f64::from(weight));
        Chances { logits, largest, log_sum: libm::log(sum) }
    }

    /// The log probability of one token.
    pub fn of(&self, token: u32) -> f32 {
        (f64::from(self.logits[token as usize] - self.largest) - self.log_sum) as f32
    }

    /// The `k` most probable tokens, or all, the most probable first.
    pub fn likeliest(&self, k: usize, kernels: Kernels) -> Vec<Alternative> {
        let mut top = vec![TopLogit::default(); k.min(self.logits.len())];
        kernels.top(self.logits, &mut top);
        top.iter().map(|&TopLogit { token, .. }| Alternative { token, logprob: self.of(token) }).collect()
    }
}
