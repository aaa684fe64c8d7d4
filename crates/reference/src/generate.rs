//! Runs of the canonical oracle, which produce the golden streams.

use crate::canonical::{Canonical, CanonicalState};
use crate::sampling::{Sampler, Sampling};

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The tokens, without the prompt.
    pub tokens: Vec<u32>,
    /// The V logits that each token was chosen from.
    pub logits: Vec<Vec<f32>>,
}

/// Processes `prompt`, then chooses and processes `max_tokens` tokens. No token ends the run early.
///
/// # Panics
/// If the prompt is empty or contains a token outside the vocabulary, or a logit that a token is chosen from is NaN or
/// infinite.
pub fn generate(model: &Canonical, prompt: &[u32], sampling: &Sampling, max_tokens: usize) -> Generation {
    assert!(!prompt.is_empty(), "a prompt has at least one token");
    let mut sampler = Sampler::new(sampling, model.config().vocab_size);
    let mut state = CanonicalState::new(model.config());
    let mut feed = |token: u32, sampler: &mut Sampler| {
        sampler.observe(token);
        model.forward(token, &mut state)
    };
    let mut next = Vec::new();
    for &token in prompt {
        next = feed(token, &mut sampler);
    }
    let mut run = Generation { tokens: Vec::with_capacity(max_tokens), logits: Vec::with_capacity(max_tokens) };
    while run.tokens.len() < max_tokens {
        let token = sampler.sample(&next).unwrap_or_else(|error| {
            let position = prompt.len() + run.tokens.len();
            panic!("no token can be chosen at position {position}: {error}")
        });
        run.tokens.push(token);
        // The last token is not processed: nothing would be chosen from its logits.
        let following = if run.tokens.len() < max_tokens { feed(token, &mut sampler) } else { Vec::new() };
        run.logits.push(std::mem::replace(&mut next, following));
    }
    run
}
