//! One text in the making.

use crate::alternatives::{self, Alternative};
use crate::checks::Checks;
use crate::{picture, thrown};
use bitstate::{Digest, Ended, Error, Stop};
use js_sys::Date;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// Checkpoints that a session keeps: with one every 32 tokens one can go back 4,096 tokens.
const CHECKPOINTS: usize = 128;
const EVERY: u64 = 32;

/// Tokens, and the text that they came to.
#[wasm_bindgen(getter_with_clone)]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The text that the tokens complete: whole characters.
    pub text: String,
    /// The tokens.
    pub tokens: Vec<u32>,
    /// UTF-16 code units of the text of each token; 0 where it completes no character.
    pub lengths: Vec<u32>,
    /// A character of base64url for each token: the last six bits of its checksum.
    pub checks: String,
    /// Whether the model has ended the text.
    pub ended: bool,
}

impl Batch {
    fn push(&mut self, token: u32, piece: &str) {
        self.tokens.push(token);
        self.lengths.push(piece.encode_utf16().count() as u32);
        self.text.push_str(piece);
    }
}

/// One text in the making. What it remembers is of one size however long the text; a checksum of eight bytes for every
/// token comes to that.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Session {
    inner: bitstate::Session,
    checks: Checks,
}

impl Session {
    pub(crate) fn new(mut inner: bitstate::Session) -> Result<Self, Error> {
        inner.keep_checkpoints(EVERY, CHECKPOINTS)?;
        let checks = Checks::new(inner.position());
        Ok(Session { inner, checks })
    }

    fn finished(&self, mut batch: Batch) -> Batch {
        batch.checks = self.checks.digits(batch.tokens.len());
        batch
    }

    /// The next tokens until there are `most`, the time is up, or the model ends the text.
    pub(crate) fn generate(&mut self, most: u32, is_up: impl Fn() -> bool) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        while batch.tokens.len() < most as usize {
            let digest = Digest::of_f32s(self.inner.logits()?);
            let Some(token) = self.inner.tokens(Stop::new().max_tokens(1)).next() else { break };
            let token = token?;
            self.checks.push(token.id, Some(digest));
            batch.push(token.id, &token.piece);
            if is_up() {
                break;
            }
        }
        batch.ended = matches!(self.inner.ended(), Some(Ended::Token(_)));
        Ok(self.finished(batch))
    }

    pub(crate) fn begin(&mut self, text: &str) -> Result<Batch, Error> {
        let before = self.inner.last_tokens().len();
        self.inner.feed_text(text)?;
        let tokens: Vec<u32> = self.inner.last_tokens().skip(before).collect();
        tokens.iter().for_each(|&token| self.checks.push(token, None));
        Ok(self.finished(self.spelt(&tokens)))
    }

    /// Tokens and the text of each, from the beginning of a character on.
    fn spelt(&self, tokens: &[u32]) -> Batch {
        let mut batch = Batch::default();
        let mut decoder = self.inner.model().tokenizer().map(|tokenizer| tokenizer.decoder());
        for &token in tokens {
            let piece = decoder.as_mut().map_or_else(String::new, |decoder| decoder.push(token));
            batch.push(token, &piece);
        }
        batch
    }

    pub(crate) fn give(&mut self, tokens: &[u32]) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        for &token in tokens {
            let digest = Digest::of_f32s(self.inner.logits()?);
            let piece = self.inner.push(token)?;
            self.checks.push(token, Some(digest));
            batch.push(token, &piece);
        }
        Ok(self.finished(batch))
    }
}

#[wasm_bindgen]
impl Session {
    /// Takes in the beginning of a text; an empty one is the token that begins a text. Returns its tokens.
    ///
    /// # Errors
    /// Where the tokenizer does not take the text.
    pub fn feed(&mut self, text: &str) -> Result<Batch, JsError> {
        self.begin(text).map_err(thrown)
    }

    /// The next tokens, until there are `most`, `milliseconds` have passed, or the model ends the text.
    ///
    /// # Errors
    /// Where the session has seen nothing to predict from, or a logit is NaN or infinite.
    pub fn run(&mut self, most: u32, milliseconds: f64) -> Result<Batch, JsError> {
        let end = Date::now() + milliseconds;
        self.generate(most, || Date::now() >= end).map_err(thrown)
    }

    /// Makes these tokens the next of the text, as if they had been chosen.
    ///
    /// # Errors
    /// Where the model does not have one; those before it are part of the text then.
    pub fn push(&mut self, tokens: &[u32]) -> Result<Batch, JsError> {
        self.give(tokens).map_err(thrown)
    }

    /// What could come at `position` instead: up to `n` words, the likeliest first. The session stays as it is.
    ///
    /// # Errors
    /// Where no checkpoint lies so far back.
    pub fn alternatives(&self, position: u64, n: usize) -> Result<Vec<Alternative>, JsError> {
        let mut fork = self.inner.clone();
        fork.undo_to(position).and_then(|()| alternatives::words(&mut fork, n)).map_err(thrown)
    }

    /// Takes back all tokens from `position` on.
    ///
    /// # Errors
    /// Where no checkpoint lies so far back; the session is as before then.
    #[wasm_bindgen(js_name = undoTo)]
    pub fn undo_to(&mut self, position: u64) -> Result<(), JsError> {
        self.inner.undo_to(position).map_err(thrown)?;
        self.checks.cut(position);
        Ok(())
    }

    /// The oldest position that `undoTo` can go back to.
    #[wasm_bindgen(getter)]
    pub fn oldest(&self) -> u64 {
        self.inner.oldest_checkpoint()
    }

    /// A session that goes on by itself from here. The two share their checkpoints.
    pub fn fork(&self) -> Session {
        Session { inner: self.inner.clone(), checks: self.checks.clone() }
    }

    /// Number of tokens of the text, those of prompts included.
    #[wasm_bindgen(getter)]
    pub fn position(&self) -> u64 {
        self.inner.position()
    }

    /// How the next token is chosen.
    #[wasm_bindgen(getter)]
    pub fn sampling(&self) -> crate::Sampling {
        crate::Sampling::from(self.inner.sampling())
    }

    /// The checksum of the text so far, in hex: over all tokens and the bits of the logits that each was chosen from.
    #[wasm_bindgen(getter)]
    pub fn checksum(&self) -> String {
        Digest(self.checks.last()).to_string()
    }

    /// The last tokens of the text, which are all of a short one.
    #[wasm_bindgen(js_name = lastTokens)]
    pub fn last_tokens(&self) -> Batch {
        let tokens: Vec<u32> = self.inner.last_tokens().collect();
        self.spelt(&tokens)
    }

    /// What every head of every layer remembers, layers × heads × headSize × headSize bytes: 128 is 0, 1 and 255 the largest
    /// magnitude of that head.
    ///
    /// # Errors
    /// Where the last token cannot be read by the model, which does not happen.
    pub fn picture(&mut self) -> Result<Vec<u8>, JsError> {
        picture::picture(&mut self.inner).map_err(thrown)
    }

    /// The session as a file that the page, the command and the library go on with.
    #[wasm_bindgen(js_name = toBytes)]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.inner.to_bytes()
    }
}

#[cfg(test)]
mod tests;
