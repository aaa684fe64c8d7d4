//! One text being generated.

use crate::alternatives::{self, Alternative};
use crate::checks::Checks;
use crate::{picture, thrown};
use bitstate::{Digest, Ended, Error, Stop};
use js_sys::Date;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// Checkpoints that a session keeps: one every 32 tokens, so 4,096 tokens back.
const CHECKPOINTS: usize = 128;
const EVERY: u64 = 32;

/// Tokens and the text that they decode to.
#[wasm_bindgen(getter_with_clone)]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The text that the tokens complete; whole characters only.
    pub text: String,
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Length of each token's text in UTF-16 code units; 0 if it completes no character.
    pub lengths: Vec<u32>,
    /// One base64url digit for each token: the last six bits of its checksum.
    pub checks: String,
    /// Whether the model ended the text.
    pub ended: bool,
}

impl Batch {
    fn push(&mut self, token: u32, piece: &str) {
        self.tokens.push(token);
        self.lengths.push(piece.encode_utf16().count() as u32);
        self.text.push_str(piece);
    }
}

/// One text being generated. Its state has a fixed size, however long the text is; only the checksums grow, by eight bytes per
/// token.
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

    /// Generates tokens until there are `most`, the time is up, or the model ends the text.
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

    /// Tokens and the text of each; must start at a character boundary.
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
    /// Feeds a prompt and returns its tokens; an empty prompt feeds the token that begins a text.
    ///
    /// # Errors
    /// If the tokenizer cannot encode the text.
    pub fn feed(&mut self, text: &str) -> Result<Batch, JsError> {
        self.begin(text).map_err(thrown)
    }

    /// Generates tokens until there are `most`, `milliseconds` have passed, or the model ends the text.
    ///
    /// # Errors
    /// If the session is still empty, or a logit is NaN or infinite.
    pub fn run(&mut self, most: u32, milliseconds: f64) -> Result<Batch, JsError> {
        let end = Date::now() + milliseconds;
        self.generate(most, || Date::now() >= end).map_err(thrown)
    }

    /// Appends these tokens to the text, as if they had been sampled.
    ///
    /// # Errors
    /// If a token is not in the vocabulary; the tokens before it have been appended then.
    pub fn push(&mut self, tokens: &[u32]) -> Result<Batch, JsError> {
        self.give(tokens).map_err(thrown)
    }

    /// Up to `n` words that could follow at `position`, likeliest first. The session does not change.
    ///
    /// # Errors
    /// If no checkpoint is that old.
    pub fn alternatives(&self, position: u64, n: usize) -> Result<Vec<Alternative>, JsError> {
        let mut fork = self.inner.clone();
        fork.undo_to(position).and_then(|()| alternatives::words(&mut fork, n)).map_err(thrown)
    }

    /// Removes all tokens from `position` on.
    ///
    /// # Errors
    /// If no checkpoint is that old; the session is unchanged then.
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

    /// An independent copy of the session. The two share their checkpoints.
    pub fn fork(&self) -> Session {
        Session { inner: self.inner.clone(), checks: self.checks.clone() }
    }

    /// Number of tokens of the text, including prompts.
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

    /// The last tokens of the text; all of them if it is short.
    #[wasm_bindgen(js_name = lastTokens)]
    pub fn last_tokens(&self) -> Batch {
        let tokens: Vec<u32> = self.inner.last_tokens().collect();
        self.spelt(&tokens)
    }

    /// The state of every head of every layer, layers × heads × headSize × headSize bytes: 128 is 0, 1 and 255 the largest
    /// magnitude of that head.
    ///
    /// # Errors
    /// If the model cannot read the last token, which does not happen.
    pub fn picture(&mut self) -> Result<Vec<u8>, JsError> {
        picture::picture(&mut self.inner).map_err(thrown)
    }

    /// The session as a file that the page, the command line and the library can resume.
    #[wasm_bindgen(js_name = toBytes)]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.inner.to_bytes()
    }
}

#[cfg(test)]
mod tests;
