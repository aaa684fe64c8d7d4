//! The loss of a model on a text, by the trainer's own forward pass.

use crate::net::{Batch, Net};
use crate::ops;

/// `-ln p` of every token after the first, each predicted from all tokens before it, from an empty state. In nats.
///
/// Computes the same as `bitstate eval`, with other code from the logits on.
pub fn surprises(net: &Net, tokens: &[u32]) -> Vec<f64> {
    let Some((_, targets)) = tokens.split_first().filter(|(_, targets)| !targets.is_empty()) else {
        return Vec::new();
    };
    let inputs = &tokens[..targets.len()];
    let logits = ops::values::<f32>(&net.logits(Batch { tokens: inputs, seq_len: inputs.len() }));
    logits.chunks(logits.len() / targets.len()).zip(targets).map(|(logits, &target)| surprise(logits, target)).collect()
}

/// Whether a model that always chooses the likeliest token answers `prompt` with exactly `answer` and then `end`.
///
/// One pass tells: as long as every choice so far was that of the answer, the next is made from the answer's own tokens.
pub fn answers_exactly(net: &Net, prompt: &[u32], answer: &[u32], end: u32) -> bool {
    let Some(first) = prompt.len().checked_sub(1) else { return false };
    let tokens = [prompt, answer].concat();
    let logits = ops::values::<f32>(&net.logits(Batch { tokens: &tokens, seq_len: tokens.len() }));
    let rows = logits.chunks(logits.len() / tokens.len()).skip(first);
    let wanted = answer.iter().chain([&end]);
    rows.zip(wanted).all(|(logits, &wanted)| likeliest(logits) == wanted as usize)
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (i, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = i;
        }
    }
    best
}

fn surprise(logits: &[f32], target: u32) -> f64 {
    let logits = || logits.iter().map(|&logit| f64::from(logit));
    let max = logits().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits().map(|logit| (logit - max).exp()).sum();
    let of_target = logits().nth(target as usize).unwrap_or(f64::NEG_INFINITY);
    max + total.ln() - of_target
}
