//! The JSON of `generate --json`: one line per token, then a summary.

use crate::recipe::{End, Recipe};
use bitstate::{Alternative, Model, Token};
use serde::Serialize;

/// A line. The texts of all lines, concatenated, are the text of the answer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    Token(TokenLine<'a>),
    Summary(Summary<'a>),
}

#[derive(Serialize)]
pub struct TokenLine<'a> {
    /// Number of the answer, from 1, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<usize>,
    token: u32,
    /// The text that can be shown now, possibly empty; `None` if the model's tokens have no text.
    text: Option<&'a str>,
    /// Natural logarithm of its probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    logprob: Option<f32>,
    /// The likeliest tokens at its position.
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<Likely>>,
}

/// An alternative token.
#[derive(Serialize)]
pub struct Likely {
    token: u32,
    text: Option<String>,
    logprob: f32,
}

#[derive(Serialize)]
pub struct Summary<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<usize>,
    /// The rest of the text.
    pub text: Option<&'a str>,
    pub count: u64,
    pub ended: End,
    pub digest: String,
    pub tokens_per_second: f64,
    pub seed: Option<u64>,
    pub variant: &'static str,
    /// Threads that shared the work of a token: 1 if the model is too small to gain from more.
    pub threads: usize,
    pub recipe: &'a Recipe,
}

impl<'a> TokenLine<'a> {
    pub fn new(model: &Model, answer: Option<usize>, token: &Token, shown: &'a str) -> Self {
        let text_of = |id| model.tokenizer().map(|tokenizer| tokenizer.decode(&[id]));
        let likely = |&Alternative { token, logprob }: &Alternative| Likely { token, text: text_of(token), logprob };
        TokenLine {
            answer,
            token: token.id,
            text: model.tokenizer().map(|_| shown),
            logprob: token.logprob,
            top: token.logprob.map(|_| token.alternatives.iter().map(likely).collect()),
        }
    }
}
