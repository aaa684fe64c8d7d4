//! When a text ends.

use alloc::string::String;
use alloc::vec::Vec;

/// When to stop; whatever comes first. Unless told otherwise a text stops where the model ends it.
///
/// ```
/// use bitstate::Stop;
///
/// let stop = Stop::new().max_tokens(100).text("\n\n").text("The end");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Stop {
    pub(crate) max_tokens: Option<u64>,
    pub(crate) tokens: Vec<u32>,
    pub(crate) texts: Vec<String>,
    pub(crate) ignore_end: bool,
    pub(crate) alternatives: Option<usize>,
}

impl Stop {
    /// Where the model ends the text.
    pub fn new() -> Self {
        Stop::default()
    }

    /// After so many tokens at most.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// At this token, which is not yielded; again for several.
    pub fn token(mut self, token: u32) -> Self {
        self.tokens.push(token);
        self
    }

    /// Before this text, which is not yielded by [`Session::text`](crate::Session::text) even where it comes in pieces;
    /// again for several. The first that is complete ends the text; of those complete at once, the one that begins first. An
    /// empty one is never met.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// Goes on where the model ends the text.
    pub fn ignore_end(mut self) -> Self {
        self.ignore_end = true;
        self
    }

    /// Yields the logarithm of each token's probability, and the `n` likeliest tokens in its place.
    pub fn alternatives(mut self, n: usize) -> Self {
        self.alternatives = Some(n);
        self
    }
}

/// Why a text ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All tokens that were asked for have come.
    Budget,
    /// By a token that ends texts; it was chosen, and not taken in.
    Token(u32),
    /// By a text to stop at.
    Text(String),
}

/// Text that may become a text to stop at, held back until it is known.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    texts: Vec<String>,
    held: String,
}

impl Watch {
    pub fn new(texts: &[String]) -> Self {
        let texts = texts.iter().filter(|text| !text.is_empty()).cloned().collect();
        Watch { texts, held: String::new() }
    }

    /// What can be yielded once `piece` has come, and the text to stop at if it is complete.
    pub fn push(&mut self, piece: &str) -> (String, Option<String>) {
        self.held.push_str(piece);
        let met = self.texts.iter().filter_map(|text| Some((self.held.find(text.as_str())?, text)));
        if let Some((at, text)) = met.min_by_key(|(at, _)| *at) {
            let text = text.clone();
            self.held.truncate(at);
            return (core::mem::take(&mut self.held), Some(text));
        }
        let begins = |at: &usize| self.texts.iter().any(|text| text.starts_with(&self.held[*at..]));
        let most = self.texts.iter().map(String::len).max().unwrap_or(0);
        let earliest = self.held.len().saturating_sub(most);
        let places = self.held.char_indices().map(|(at, _)| at).skip_while(|at| *at < earliest);
        let at = places.into_iter().find(begins).unwrap_or(self.held.len());
        let rest = self.held.split_off(at);
        (core::mem::replace(&mut self.held, rest), None)
    }

    /// What was held back, when no more comes.
    pub fn finish(&mut self) -> String {
        core::mem::take(&mut self.held)
    }
}
