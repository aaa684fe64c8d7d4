//! Invalid session files: an error with the field and the offset, and never a panic.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Digest, Error, Model, SessionFileError};
use proptest::prelude::*;
use std::sync::LazyLock;
use support::trained;

static MODEL: LazyLock<Model> = LazyLock::new(|| trained("stories-byte"));
static SAVED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut session = MODEL.session(support::samplings()[2].clone()).unwrap();
    session.feed_text("Once upon").unwrap();
    session.next_token().unwrap();
    session.to_bytes()
});

/// Adds a valid checksum.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let checksum = Digest::of(&body);
    body.extend(checksum.0.to_le_bytes());
    body
}

fn body() -> Vec<u8> {
    SAVED[..SAVED.len() - 8].to_vec()
}

/// The file with a piece of its header replaced.
fn header(from: &str, to: &str) -> Vec<u8> {
    let body = body();
    let end = body.iter().position(|&byte| byte == b'\n').unwrap();
    let line = core::str::from_utf8(&body[..end]).unwrap();
    let changed = line.replacen(from, to, 1);
    assert_ne!(changed, line, "{from}");
    sealed([changed.as_bytes(), &body[end..]].concat())
}

fn refused(bytes: &[u8]) -> String {
    MODEL.resume(bytes).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named() {
    assert!(refused(b"").contains("not a session file"));
    assert!(refused(b"{\"bitstate_session\":x").contains("not a session file"));
    assert!(refused(b"{\"bitstate_session\":1").contains("damaged"));
    assert!(refused(&header("_session\":1,", "_session\":2,")).contains("version 2, and this program reads version 1"));
    let mut flipped = SAVED.clone();
    let at = flipped.len() / 2;
    flipped[at] ^= 1;
    assert!(refused(&flipped).contains("damaged"));
    for (from, to, says) in [
        ("\"model\":\"", "\"model\":\"0", "another model"),
        ("\"tokenizer\":\"byte", "\"tokenizer\":\"other", "another tokenizer"),
        ("\"position\":", "\"position\":-", "position is not a valid number"),
        ("\"position\":", "\"position\":500000000000000000", "position is larger than any text"),
        ("\"pending\":", "\"pending\":9", "pending"),
        ("\"generator\":\"", "\"generator\":\"x", "generator is not 16 hex digits"),
        ("\"min_p\":0", "\"min_p\":9", "min-p is 9"),
        ("\"top_p\"", "\"top_q\"", "top_p needs"),
        ("\"bias\":[[1,", "\"bias\":[[999,", "tokens 0 to 255"),
        ("\"window\":24", "\"window\":4294967295", "at most 65536"),
        ("\"window\":24", "\"window\":2", "recent has 9 tokens, more than the window"),
        ("\"state\":", "\"state\":9", "state has"),
        ("\"residual\":", "\"residual\":18446744073709551615", "residual"),
        ("\"residual\":128", "\"residual\":127", "residual has 127 values"),
        ("\"counts\":256", "\"counts\":255", "counts has 255 tokens"),
        ("\"tokens\":", "\"tokens\":4611686018427387904", "tokens"),
        ("\"decoder\":1}", "\"decoder\":0}", "decoder"),
    ] {
        let said = refused(&header(from, to));
        assert!(said.contains(says), "{to}: {said}");
    }
    let mut longer = body();
    longer.push(0);
    assert!(refused(&sealed(longer)).contains("the end is followed by more bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_that_changed_are_no_panic(at in any::<prop::sample::Index>(), to in any::<u8>(), near in any::<bool>(), seal in any::<bool>()) {
        let mut bytes = body();
        // Half of them in the header.
        let at = at.index(if near { 900 } else { bytes.len() });
        let same = bytes[at] == to;
        bytes[at] = to;
        let bytes = if seal { sealed(bytes) } else { [&bytes[..], &SAVED[SAVED.len() - 8..]].concat() };
        match MODEL.resume(&bytes) {
            Ok(mut session) => {
                prop_assert!(same || seal);
                // A resumed session runs, or returns an error.
                let _ = session.next_token();
                let _ = session.next_token();
            }
            Err(Error::SessionFile(SessionFileError::Field { offset, .. })) => prop_assert!(offset <= bytes.len()),
            Err(_) => {}
        }
    }

    #[test]
    fn bytes_that_are_cut_off_are_refused(at in any::<prop::sample::Index>()) {
        let bytes = body();
        let at = at.index(bytes.len());
        prop_assert!(MODEL.resume(&bytes[..at]).is_err());
        prop_assert!(MODEL.resume(&sealed(bytes[..at].to_vec())).is_err());
    }
}
