//! Alternatives to a word.

use bitstate::{Error, Session};
use wasm_bindgen::prelude::wasm_bindgen;

/// Most tokens added to complete a word.
const LONGEST: usize = 16;

/// A word that could follow.
#[wasm_bindgen(getter_with_clone)]
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Its text.
    pub text: String,
    /// Probability of its first token according to the model, before sampling.
    pub probability: f64,
}

/// The `n` likeliest next tokens, each completed to a word with the likeliest tokens after it.
pub(crate) fn words(session: &mut Session, n: usize) -> Result<Vec<Alternative>, Error> {
    let first = session.alternatives(n)?;
    let ends = session.model().ends().to_vec();
    let mut words = Vec::with_capacity(first.len());
    for alternative in first.into_iter().filter(|alternative| !ends.contains(&alternative.token)) {
        let mut fork = session.clone();
        let mut tokens = vec![alternative.token];
        let mut text = fork.push(alternative.token)?;
        while tokens.len() < LONGEST {
            let next = fork.alternatives(1)?[0].token;
            let mut ahead = fork.clone();
            let piece = ahead.push(next)?;
            let goes_on = piece.is_empty() || piece.starts_with(|c: char| c.is_alphanumeric() || c == '\'');
            let in_word = text.is_empty() || text.ends_with(|c: char| c.is_alphanumeric() || c == '\'');
            if ends.contains(&next) || !(goes_on && in_word) {
                break;
            }
            tokens.push(next);
            text.push_str(&piece);
            fork = ahead;
        }
        words.push(Alternative { tokens, text, probability: f64::from(alternative.logprob).exp() });
    }
    Ok(words)
}
