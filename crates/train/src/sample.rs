//! Text samples during training, by the trainer's own forward pass.

use crate::error::Error;
use crate::net::{Batch, Net};
use crate::ops;
use bitstate_tokenizer::Tokenizer;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Below 1, so that an untrained model's unlikely tokens are rarely drawn.
const TEMPERATURE: f64 = 0.8;

/// The text of `prompt` and its continuation by `net`, up to the end of a text or `count` tokens. Deterministic for
/// seed and weights.
///
/// The whole text goes through the net for every token: the trainer has no single-token step, and a sample is short.
///
/// # Errors
/// If the tokenizer cannot encode the prompt or has no end-of-text token, or if a logit is NaN or infinite.
pub fn sample(net: &Net, tokenizer: &Tokenizer, prompt: &str, count: usize, seed: u64) -> Result<String, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tokens = vec![tokenizer.end()?];
    tokens.extend(tokenizer.encode(prompt)?);
    for _ in 0..count {
        let logits = ops::values::<f32>(&net.logits(Batch { tokens: &tokens, seq_len: tokens.len() }));
        let last = &logits[logits.len() - logits.len() / tokens.len()..];
        if let Some(token) = last.iter().position(|logit| !logit.is_finite()) {
            let position = tokens.len();
            return Err(Error::Refused(format!(
                "no sample can be drawn: at position {position} the logit of token {token} is NaN or infinite; a lower lr \
                 or a longer warmup may help"
            )));
        }
        let token = draw(last, rng.random());
        if tokenizer.ends().contains(&token) {
            break;
        }
        tokens.push(token);
    }
    Ok(tokenizer.decode(&tokens[1..]))
}

/// The token at which the cumulative probability exceeds `at`, a number in 0..1.
fn draw(logits: &[f32], at: f64) -> u32 {
    let max = logits.iter().fold(f32::NEG_INFINITY, |max, &logit| max.max(logit));
    let weight = |logit: &f32| (f64::from(logit - max) / TEMPERATURE).exp();
    let mut left = at * logits.iter().map(weight).sum::<f64>();
    let found = logits.iter().position(|logit| {
        left -= weight(logit);
        left < 0.0
    });
    // Rounding may leave a remainder after the last.
    found.unwrap_or(logits.len() - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn tokens_are_drawn_by_their_probability() {
        let logits = [0.0, f32::NEG_INFINITY, 0.8 * 3f32.ln()];
        let counts = (0..1000).fold([0; 3], |mut counts, i| {
            counts[draw(&logits, (f64::from(i) + 0.5) / 1000.0) as usize] += 1;
            counts
        });
        assert_eq!(counts, [250, 0, 750]);
    }
}
