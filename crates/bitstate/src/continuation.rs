//! A session with its stop conditions, for batches.

use crate::error::Error;
use crate::session::Session;
use crate::stop::{Ended, Stop};
use crate::tokens::{Pace, Token};
use alloc::string::String;
use alloc::vec::Vec;
use bitstate_protocol::{Digest, Digester};

/// A session that generates until it stops. A [`Batch`](crate::Batch) steps many of them in one pass over the weights.
pub struct Continuation {
    session: Session,
    pace: Pace,
    digester: Digester,
    /// Bytes of what a token is chosen from.
    room: Vec<u8>,
    tokens: u64,
    failed: bool,
}

/// What one step added.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The token.
    pub token: Token,
    /// Text that can be shown: whole characters, without what may become a text to stop at.
    pub text: String,
}

impl Continuation {
    /// Continues `session` until `stop`.
    pub fn new(mut session: Session, stop: Stop) -> Self {
        let pace = Pace::new(&mut session, stop);
        Continuation { session, pace, digester: Digester::default(), room: Vec::new(), tokens: 0, failed: false }
    }

    /// The next token and the text that it completes; `None` at the end, and after an error.
    ///
    /// # Errors
    /// Where the session has seen nothing to predict from, or a logit is NaN or infinite.
    pub fn step(&mut self) -> Result<Option<Piece>, Error> {
        if !self.goes_on() {
            return Ok(None);
        }
        match self.session.choose() {
            Ok((id, generator)) => self.take(id, generator),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The remaining text at the end: what was held back as a possible stop text, and an incomplete character as `U+FFFD`.
    pub fn finish(&mut self) -> String {
        if matches!(self.session.ended(), Some(Ended::Text(_))) {
            return String::new();
        }
        let mut text = self.pace.finish();
        text.push_str(&self.session.finish_text());
        text
    }

    /// Why generation ended; `None` while it continues.
    pub fn ended(&self) -> Option<&Ended> {
        self.session.ended()
    }

    /// Whether generation has ended. True right after the last token.
    pub fn is_over(&mut self) -> bool {
        !self.goes_on()
    }

    /// Number of tokens generated so far.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// XXH64 (seed 0) over, for every chosen token, the residual stream that the head reads (D values, f32) and the token id
    /// (u32), little-endian, including a token that ends the text. Equal for equal generations, alone or in a batch, on every
    /// variant and machine. Not a defence against forgery.
    pub fn digest(&self) -> Digest {
        self.digester.finish()
    }

    /// Returns the session.
    pub fn into_session(self) -> Session {
        self.session
    }

    pub(crate) fn goes_on(&mut self) -> bool {
        !self.failed && self.pace.goes_on(&mut self.session)
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn needs_logits(&self) -> bool {
        self.pace.needs_logits() || !self.session.progress.takes_the_largest()
    }

    /// Takes a token that was chosen from where the session is.
    pub(crate) fn take(&mut self, id: u32, generator: u64) -> Result<Option<Piece>, Error> {
        self.room.clear();
        let residual = self.session.progress.state().residual().unwrap_or_default();
        self.room.extend(residual.iter().flat_map(|value| value.to_le_bytes()));
        self.room.extend(id.to_le_bytes());
        self.digester.push(&self.room);
        let taken = self.pace.take(&mut self.session, id, generator);
        let taken = taken.map_err(|error| self.fail(error))?;
        self.tokens += u64::from(taken.is_some());
        Ok(taken.map(|(token, text)| Piece { token, text }))
    }

    /// No more comes after an error.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.failed = true;
        error
    }
}
