//! A runner's answer, as lines of text: rejected with a line number, or unchanged after writing and parsing it again.
//!
//! The closing line contains a digest, which random text never matches: an input is read both as it is and with a correct
//! closing line added.

use bitstate_protocol::{Answer, AnswerWriter, Digest};

/// Reads one input.
///
/// # Panics
/// If a written answer parses to a different one.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check(text);
    check(&closed(text));
}

/// The text with its correct closing line.
fn closed(text: &str) -> String {
    let lines = text.bytes().filter(|&byte| byte == b'\n').count();
    format!("{text}end lines={lines} digest={}\n", Digest::of(text.as_bytes()))
}

fn check(text: &str) {
    let Ok(answer) = Answer::parse(text) else { return };
    let mut written = String::new();
    let mut writer = AnswerWriter::new(|line: &str| written.push_str(line), &answer.header);
    answer.events.iter().for_each(|event| writer.event(event));
    writer.finish();
    assert_eq!(Answer::parse(&written).as_ref(), Ok(&answer));
}
