//! Recorded sessions of models that answer records: a line `> RECORD`, then a line with the answer.

use anyhow::{Result, bail};
use bitstate_reference::{Canonical, Sampling, generate};

/// The token before and after a text.
const END: u32 = 0;
/// Most tokens of an answer.
const MOST: usize = 128;

/// The records of a session with the oracle's answers: the likeliest bytes after the record and a newline, up to the end of
/// the line or of the text.
pub fn answered(session: &str, oracle: &Canonical) -> Result<String> {
    let mut out = String::new();
    for record in session.lines().filter_map(|line| line.strip_prefix("> ")) {
        let prompt: Vec<u32> =
            [END].into_iter().chain(record.bytes().map(u32::from)).chain([u32::from(b'\n')]).collect();
        let tokens = generate(oracle, &prompt, &Sampling::Greedy, MOST).tokens;
        let is_end = |token: &u32| *token == END || *token == u32::from(b'\n');
        let answer: Result<Vec<u8>, _> =
            tokens.into_iter().take_while(|token| !is_end(token)).map(u8::try_from).collect();
        let Ok(answer) = answer else { bail!("the tokens of a model with a transcript are bytes") };
        out.extend(["> ", record, "\n", &String::from_utf8_lossy(&answer), "\n"]);
    }
    Ok(out)
}
