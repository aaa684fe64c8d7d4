//! Session files: rejected by every variant with the same error, or resumed to the same tokens; a resumed session is saved and
//! resumed again as the same session.
//!
//! The first byte of an input is the kind of the rest: a session file, or one whose checksum is corrected.

use crate::models::{config, variants};
use bitstate::bits::{Version, synthetic};
use bitstate::{Digest, Model, Sampling, Session};
use std::sync::LazyLock;

/// What follows the first byte: a session file.
pub const AS_IT_IS: u8 = b's';
/// The first byte of an input with a session file whose checksum is replaced with the correct one.
pub const CHECKSUM_MADE: u8 = b'c';

const CHECKSUM: usize = 8;
/// Number of tokens that a resumed session generates.
const TOKENS: usize = 3;

/// A byte-level model, so that sessions have a decoder, prepared for every variant that runs here.
static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    let file = synthetic(&config([256, 1, 1, 8, 1]), 1, Version::V1_2);
    let open = |variant| Model::builder().variant(variant).from_bytes(&file).expect("the variant runs here");
    variants().map(open).collect()
});

/// Reads one input.
///
/// # Panics
/// If two results differ.
pub fn run(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    let file = match kind {
        AS_IT_IS => data.to_vec(),
        CHECKSUM_MADE => with_checksum(data),
        _ => return,
    };
    let first = outcome(&MODELS[0], &file);
    for model in &MODELS[1..] {
        assert_eq!(outcome(model, &file), first, "{:?}", model.variant());
    }
}

/// The result of resuming a file: the error, or the session's file and its next output.
fn outcome(model: &Model, file: &[u8]) -> Result<(Vec<u8>, Vec<String>), String> {
    let mut session = model.resume(file).map_err(|error| error.to_string())?;
    let saved = session.to_bytes();
    let mut again = model.resume(&saved).expect("a saved session can be resumed");
    assert_eq!(again.to_bytes(), saved, "a resumed session saves to the same bytes");
    let next = next(&mut session);
    assert_eq!(self::next(&mut again), next, "and continues identically");
    Ok((saved, next))
}

/// The next tokens, or the error, and the text.
fn next(session: &mut Session) -> Vec<String> {
    let token = |_| session.next_token().map_or_else(|error| error.to_string(), |token| token.to_string());
    let mut said: Vec<String> = (0..TOKENS).map(token).collect();
    said.push(session.finish_text());
    said
}

/// Replaces the checksum at the end with the correct one.
fn with_checksum(data: &[u8]) -> Vec<u8> {
    let mut file = data[..data.len().saturating_sub(CHECKSUM)].to_vec();
    file.extend(Digest::of(&file).0.to_le_bytes());
    file
}

/// A saved session after `tokens` tokens.
pub fn saved(sampling: Sampling, tokens: usize) -> Vec<u8> {
    let mut session = MODELS[0].session(sampling).expect("in range");
    session.feed_text("ü").expect("a byte-level tokenizer accepts any text");
    for _ in 0..tokens {
        session.next_token().expect("finite");
    }
    session.to_bytes()
}
