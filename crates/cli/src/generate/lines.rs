//! The JSON of `generate --json`: a line for every token, and a summary as the last.

use crate::recipe::{End, Recipe};
use bitstate::{Alternative, Model, Token};
use serde::Serialize;

/// A line. The texts of all lines, one after the other, are the text of the answer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    Token(TokenLine<'a>),
    Summary(Summary<'a>),
}

#[derive(Serialize)]
pub struct TokenLine<'a> {
    /// Which of several answers, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<usize>,
    token: u32,
    /// The text that can be shown now, perhaps none; None where the model's tokens have no text.
    text: Option<&'a str>,
    /// The natural logarithm of its probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    logprob: Option<f32>,
    /// The likeliest tokens in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<Likely>>,
}

/// A token that could have come.
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
    /// What is left of the text.
    pub text: Option<&'a str>,
    pub count: u64,
    pub ended: End,
    pub digest: String,
    pub tokens_per_second: f64,
    pub seed: Option<u64>,
    pub variant: &'static str,
    /// Threads that a token was divided among: 1 where the model is too small for more to gain.
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
