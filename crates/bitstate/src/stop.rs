//! When a text ends.

use alloc::string::String;
use alloc::vec::Vec;

/// Stop conditions; the first one that is met applies. By default a text stops where the model ends it.
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
    /// Stops where the model ends the text.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Stops after at most this many tokens.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Stops at this token, which is not yielded; call it again to add more.
    pub fn token(mut self, token: u32) -> Self {
        self.tokens.push(token);
        self
    }

    /// Stops before this text, which [`Session::text`](crate::Session::text) never yields, not even in pieces; call it
    /// again to add more. The first one to be complete ends the text; of several completed at once, the one that begins
    /// first. An empty text never matches.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// Does not stop where the model ends the text.
    pub fn ignore_end(mut self) -> Self {
        self.ignore_end = true;
        self
    }

    /// Yields the logarithm of each token's probability, and the `n` most probable tokens in its place.
    pub fn alternatives(mut self, n: usize) -> Self {
        self.alternatives = Some(n);
        self
    }
}

/// Why a text ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All requested tokens were generated.
    Budget,
    /// An end token was chosen; it was not processed.
    Token(u32),
    /// A stop text was generated.
    Text(String),
}

/// Holds back text that may become a stop text.
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

    /// The text that can be yielded after `piece`, and the stop text if one is complete.
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

    /// The text held back, when no more follows.
    pub fn finish(&mut self) -> String {
        core::mem::take(&mut self.held)
    }
}
