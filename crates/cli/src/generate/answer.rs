//! Generates one answer.

use crate::interrupt;
use crate::recipe::{End, Taken};
use anyhow::Result;
use bitstate::{Ended, Session, Stop, Token};

/// The result of an answer.
pub struct Answer {
    pub taken: Taken,
    pub ended: End,
    /// Text that was held back because it could have been the start of a stop text.
    pub held: String,
}

/// Generates tokens until `stop` or Ctrl-C, and passes each to `each` with the text that can be shown.
pub fn answer(session: &mut Session, stop: Stop, mut each: impl FnMut(&Token, &str) -> Result<()>) -> Result<Answer> {
    let mut taken = Taken::default();
    let mut tokens = session.tokens(stop);
    let mut interrupted = false;
    while let Some(token) = tokens.next() {
        let token = token?;
        taken.push(token.id);
        each(&token, tokens.shown())?;
        if interrupt::asked() {
            interrupted = true;
            break;
        }
    }
    let held = tokens.finish();
    let ended = match session.ended() {
        Some(Ended::Token(_)) => End::Token,
        Some(Ended::Text(_)) => End::Stop,
        Some(Ended::Budget) => End::MaxTokens,
        None if interrupted => End::Interrupted,
        None => End::MaxTokens,
    };
    Ok(Answer { taken, ended, held })
}
