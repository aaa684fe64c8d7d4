//! A session's tokens and text as they come.

use crate::chances::Alternative;
use crate::error::Error;
use crate::session::Session;
use crate::stop::{Ended, Stop, Watch};
use alloc::string::String;
use alloc::vec::Vec;

/// A token that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// The text that it completes, perhaps none: a character comes with its last token.
    pub piece: String,
    /// The natural logarithm of its probability by the model's logits as they are, where it was asked for.
    pub logprob: Option<f32>,
    /// The likeliest tokens in its place, where they were asked for.
    pub alternatives: Vec<Alternative>,
}

/// Where a text stops, and how far it is on the way there.
pub(crate) struct Pace {
    stop: Stop,
    watch: Watch,
    left: Option<u64>,
}

impl Pace {
    /// A text of the session that begins here.
    pub fn new(session: &mut Session, stop: Stop) -> Self {
        session.ended = None;
        Pace { watch: Watch::new(&stop.texts), left: stop.max_tokens, stop }
    }

    /// Whether another token is to be chosen; the session says why where none is.
    pub fn goes_on(&self, session: &mut Session) -> bool {
        if session.ended.is_none() && self.left == Some(0) {
            session.ended = Some(Ended::Budget);
        }
        session.ended.is_none()
    }

    /// Whether all logits are needed beside the choice.
    pub fn needs_logits(&self) -> bool {
        self.stop.alternatives.is_some()
    }

    /// Makes a token that was chosen part of the text: with what can be yielded of the text, or `None` at the end.
    pub fn take(&mut self, session: &mut Session, id: u32, generator: u64) -> Result<Option<(Token, String)>, Error> {
        let (logprob, alternatives) = match self.stop.alternatives {
            Some(n) => session.chances(id, n)?,
            None => (None, Vec::new()),
        };
        let is_end = !self.stop.ignore_end && session.model.ends().contains(&id);
        if is_end || self.stop.tokens.contains(&id) {
            session.ended = Some(Ended::Token(id));
            return Ok(None);
        }
        let piece = session.accept(id, generator);
        self.left = self.left.map(|left| left - 1);
        let (shown, met) = self.watch.push(&piece);
        session.ended = met.map(Ended::Text);
        Ok(Some((Token { id, piece, logprob, alternatives }, shown)))
    }

    /// Text that was held back, when no more comes.
    pub fn finish(&mut self) -> String {
        self.watch.finish()
    }
}

/// Tokens as they are chosen. A text to stop at ends them with the token that completes it, which is yielded.
pub struct Tokens<'s> {
    session: &'s mut Session,
    pace: Pace,
    shown: String,
}

impl<'s> Tokens<'s> {
    pub(crate) fn new(session: &'s mut Session, stop: Stop) -> Self {
        Tokens { pace: Pace::new(session, stop), session, shown: String::new() }
    }

    /// The text that can be shown since the last token was yielded: what could become a text to stop at is held back.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// What is held back, when no more tokens are wanted.
    pub fn finish(&mut self) -> String {
        self.pace.finish()
    }

    /// The next token with what can be yielded of the text, or `None` at the end.
    fn step(&mut self) -> Result<Option<(Token, String)>, Error> {
        if !self.pace.goes_on(self.session) {
            return Ok(None);
        }
        let (id, generator) = self.session.choose()?;
        self.pace.take(self.session, id, generator)
    }

    fn has_ended(&self) -> bool {
        self.session.ended.is_some()
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<Token, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.pace.left = Some(0);
        }
        Some(step.transpose()?.map(|(token, shown)| {
            self.shown = shown;
            token
        }))
    }
}

/// Text as it is chosen, in pieces that are never empty and never half a character. What could become a text to stop at is
/// held back until it is known.
pub struct Text<'s> {
    tokens: Tokens<'s>,
    /// Whether what was held back has come out.
    done: bool,
}

impl<'s> Text<'s> {
    pub(crate) fn new(session: &'s mut Session, stop: Stop) -> Self {
        Text { tokens: Tokens::new(session, stop), done: false }
    }
}

impl Iterator for Text<'_> {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.tokens.session.model.tokenizer().is_none() {
            self.done = true;
            return self.tokens.session.model.text().err().map(Err);
        }
        while !self.tokens.has_ended() {
            match self.tokens.step() {
                Ok(Some((_, shown))) if shown.is_empty() => {}
                Ok(Some((_, shown))) => return Some(Ok(shown)),
                Ok(None) => {}
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        self.done = true;
        // Of a text that was met nothing is held any more.
        Some(self.tokens.pace.finish()).filter(|held| !held.is_empty()).map(Ok)
    }
}
