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

fn surprise(logits: &[f32], target: u32) -> f64 {
    let logits = || logits.iter().map(|&logit| f64::from(logit));
    let max = logits().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits().map(|logit| (logit - max).exp()).sum();
    let of_target = logits().nth(target as usize).unwrap_or(f64::NEG_INFINITY);
    max + total.ln() - of_target
}
