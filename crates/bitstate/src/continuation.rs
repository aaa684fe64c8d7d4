//! A session and where its text stops, in one: for programs that take many further together.

use crate::error::Error;
use crate::session::Session;
use crate::stop::{Ended, Stop};
use crate::tokens::{Pace, Token};
use alloc::string::String;
use alloc::vec::Vec;
use bitstate_protocol::{Digest, Digester};

/// A session that is being continued until it stops. [`Batch`](crate::Batch) takes many of them further in one pass over the
/// weights.
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
    /// Goes on with `session` until `stop`.
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

    /// Text that was held back because it might have become a text to stop at, and the beginning of a character: when no
    /// more is wanted.
    pub fn finish(&mut self) -> String {
        if matches!(self.session.ended(), Some(Ended::Text(_))) {
            return String::new();
        }
        let mut text = self.pace.finish();
        text.push_str(&self.session.finish_text());
        text
    }

    /// Why the text ended; `None` while it goes on.
    pub fn ended(&self) -> Option<&Ended> {
        self.session.ended()
    }

    /// Whether no more comes: said with the last token, not only by the step after it.
    pub fn is_over(&mut self) -> bool {
        !self.goes_on()
    }

    /// Tokens so far.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// What shows that two texts came about alike: XXH64 (seed 0) of, for every token chosen, what it was chosen from (the
    /// D values that the head reads, f32) and its id (u32), all little-endian; of a token that ended the text too. It is the
    /// same alone or in a batch, on every variant and machine. No defence against a forger.
    pub fn digest(&self) -> Digest {
        self.digester.finish()
    }

    /// The session, to go on with otherwise.
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
