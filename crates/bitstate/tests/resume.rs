//! A saved session continues anywhere, bit for bit.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Model, Sampling, Stop};
use support::{everywhere, run, samplings, small, trained};

const TOKENS: usize = 70;

/// Stops after every k, resumes on every variant, from each of the others in turn, for `after` tokens.
fn stop_everywhere(name: &str, after: usize) {
    let models = everywhere(name);
    for (sampling, number) in samplings().into_iter().zip(0..) {
        let start = |model: &Model| {
            let mut session = model.session(sampling.clone()).unwrap();
            session.feed_text("Once upon a time").unwrap();
            session
        };
        let whole = run(&mut start(&models[0]), TOKENS);
        for k in 0..=64 {
            let mut session = start(&models[k % models.len()]);
            assert_eq!(run(&mut session, k), whole[..k], "{sampling:?}");
            let saved = session.to_bytes();
            // Every variant with all samplers enabled, and one changing variant with the others, because some are slow.
            let one = [(k + number) % models.len()];
            let all: Vec<usize> = (0..models.len()).collect();
            for &i in if number == 2 { &all[..] } else { &one } {
                let model = &models[i];
                let mut resumed = model.resume(&saved).unwrap();
                assert_eq!(resumed.position(), session.position());
                assert_eq!(resumed.to_bytes(), saved, "{k}");
                let rest = run(&mut resumed, after.min(TOKENS - k));
                assert_eq!(rest, whole[k..][..rest.len()], "{name} stopped at {k}, resumed by {:?}", model.variant());
            }
        }
    }
}

#[test]
fn bytes_stop_at_every_k_and_continue_on_every_variant() {
    stop_everywhere("stories-byte", TOKENS);
}

#[test]
fn words_stop_at_every_k_and_continue_on_every_variant() {
    // Its tokens take the slowest variant milliseconds each; the saved bytes are compared as well.
    stop_everywhere("stories-bpe4k", 6);
}

/// The text continues in the middle of a character: the first byte of a euro sign, then the others.
#[test]
fn half_a_character_waits() {
    let model = trained("stories-byte");
    let mut session = model.session(Sampling::greedy().bias(0xe2, 1e6)).unwrap();
    session.feed_text("A").unwrap();
    assert_eq!(session.text(Stop::new().max_tokens(1)).count(), 0);
    let mut resumed = model.resume(&session.to_bytes()).unwrap();
    resumed.set_sampling(Sampling::greedy().bias(0x82, 1e6)).unwrap();
    assert_eq!(resumed.text(Stop::new().max_tokens(1)).count(), 0);
    resumed.set_sampling(Sampling::greedy().bias(0xac, 1e6)).unwrap();
    let pieces: Vec<String> = resumed.text(Stop::new().max_tokens(1)).map(Result::unwrap).collect();
    assert_eq!(pieces, ["€"]);
    assert_eq!(session.finish_text(), "\u{fffd}");
}

#[test]
fn a_session_file_is_small_and_readable() {
    let model = trained("stories-bpe4k");
    let mut session = model.session(model.sampling(1)).unwrap();
    session.feed_text("Once upon a time").unwrap();
    session.tokens(Stop::new().ignore_end().max_tokens(3000)).for_each(|token| drop(token.unwrap()));
    let bytes = session.to_bytes();
    assert!(bytes.len() < 300_000, "{} bytes", bytes.len());
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap();
    let line = core::str::from_utf8(line).unwrap();
    assert!(line.starts_with("{\"bitstate_session\":1,\"model\":\"") && line.ends_with('}'), "{line}");
    let text = session.last_text().unwrap();
    assert!(line.contains(&text[..20]), "{line}");
    // Nothing grows any more.
    session.tokens(Stop::new().ignore_end().max_tokens(1000)).for_each(|token| drop(token.unwrap()));
    assert!(session.to_bytes().len() < bytes.len() + 4000);
}

#[test]
fn a_session_of_nothing_and_of_ids_alone_resumes() {
    let model = small();
    for fed in [&[][..], &[3, 1, 4]] {
        let mut session = model.session(Sampling::seeded(3)).unwrap();
        if !fed.is_empty() {
            session.feed(fed).unwrap();
        }
        let mut resumed = model.resume(&session.to_bytes()).unwrap();
        session.feed(&[5]).unwrap();
        resumed.feed(&[5]).unwrap();
        assert_eq!(run(&mut session, 9), run(&mut resumed, 9));
    }
}

#[test]
fn a_file_is_saved_whole_and_named_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.session");
    let model = trained("stories-byte");
    let mut session = model.session(model.sampling(5)).unwrap();
    session.feed_text("The cat").unwrap();
    session.save(&path).unwrap();
    let mut resumed = model.resume_file(&path).unwrap();
    assert_eq!(run(&mut resumed, 5), run(&mut session, 5));
    let error = trained("stories-bpe4k").resume_file(&path).unwrap_err().to_string();
    assert!(error.contains("story.session") && error.contains("of another model"), "{error}");
    let error = model.resume_file(folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("cannot read the session") && error.contains("none"), "{error}");
    let error = session.save(folder.path().join("no/folder")).unwrap_err().to_string();
    assert!(error.contains("cannot write into"), "{error}");
    std::fs::write(&path, &session.to_bytes()[..5000]).unwrap();
    let error = model.resume_file(&path).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}
