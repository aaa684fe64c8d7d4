//! Native tests of what the page relies on: golden streams, checks, alternatives, forks.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::{Batch, Session};
use crate::checks::Checks;
use crate::model::open;
use crate::{Sampling, alternatives, picture};
use bitstate::bits::AlignedBytes;
use bitstate::{Digest, Model};
use serde_json::Value;

fn golden(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../golden/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn model(name: &str) -> Model {
    let json = (name == "stories-bpe4k").then(|| golden(&format!("models/{name}/tokenizer.json")));
    open(AlignedBytes::copy_of(&golden(&format!("models/{name}/model.bits"))), json.as_deref()).unwrap()
}

fn session(model: &Model, seed: u64) -> Session {
    let sampling = Sampling { temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1, ..Sampling::new(seed) };
    let mut session = Session::new(model.session(sampling.into()).unwrap()).unwrap();
    session.begin("Once upon a time").unwrap();
    session
}

fn all(session: &mut Session, n: u32) -> Batch {
    session.generate(n, || false).unwrap()
}

#[test]
fn a_story_matches_the_golden_stream_and_its_digests() {
    for name in ["stories-byte", "stories-bpe4k"] {
        let stream: Value = serde_json::from_slice(&golden(&format!("streams/{name}__once-seeded.json"))).unwrap();
        let numbers = |key: &str| -> Vec<u32> {
            stream[key].as_array().unwrap().iter().map(|token| token.as_u64().unwrap() as u32).collect()
        };
        let digests =
            stream["digests"].as_array().unwrap().iter().map(|digest| digest.as_str().unwrap().parse().unwrap());
        let (prompt, tokens) = (numbers("prompt"), numbers("tokens"));
        let mut checks = Checks::new(0);
        prompt.iter().for_each(|&token| checks.push(token, None));
        tokens.iter().zip(digests).for_each(|(&token, digest)| checks.push(token, Some(digest)));

        let mut session = session(&model(name), 42);
        let batch = all(&mut session, tokens.len() as u32);
        assert_eq!(batch.tokens, tokens);
        assert_eq!(batch.checks, checks.digits(tokens.len()));
        assert_eq!(session.checksum(), Digest(checks.last()).to_string());
        assert_eq!(batch.lengths.iter().sum::<u32>() as usize, batch.text.encode_utf16().count());
        assert_eq!(batch.text, session.inner.model().tokenizer().unwrap().decode(&tokens));
    }
}

#[test]
fn slices_of_any_length_give_the_same_story() {
    let model = model("stories-byte");
    let whole = all(&mut session(&model, 3), 100);
    let mut slices = session(&model, 3);
    let mut tokens = Vec::new();
    while tokens.len() < 100 {
        let slice = slices.generate(100 - tokens.len() as u32, || true).unwrap();
        assert_eq!(slice.tokens.len(), 1, "at least one token, and no more once the time is up");
        tokens.extend(slice.tokens);
    }
    assert_eq!(tokens, whole.tokens);
}

#[test]
fn a_story_continues_from_a_replaced_word() {
    for name in ["stories-byte", "stories-bpe4k"] {
        let model = model(name);
        let mut one = session(&model, 42);
        let begin = one.position();
        let first = all(&mut one, 40);
        let before = one.fork();
        let words = alternatives::words(&mut { session(&model, 42) }.inner, 5).unwrap();
        assert!(words.len() >= 4);
        assert!(words.iter().all(|word| !word.text.is_empty() && word.probability > 0.0));
        assert!(words.is_sorted_by(|a, b| a.probability >= b.probability), "{words:?}");
        one.inner.undo_to(begin).unwrap();
        one.checks.cut(begin);
        let given = one.give(&words[3].tokens).unwrap();
        assert_eq!(given.text, words[3].text);
        let again = all(&mut one, 20);
        // As a link does: the same tokens given at the same position.
        let mut replayed = session(&model, 42);
        assert_eq!(replayed.give(&words[3].tokens).unwrap(), given);
        assert_eq!(all(&mut replayed, 20), again);
        assert_ne!(again.tokens, first.tokens[..20]);
        assert_eq!(before.position(), begin + 40, "a fork does not change");
    }
}

#[test]
fn a_session_file_resumes_in_the_library_and_back() {
    let model = model("stories-bpe4k");
    let mut one = session(&model, 5);
    all(&mut one, 30);
    let file = one.to_bytes();
    // Opened as the command does, with the library's tokenizer.
    let path = format!("{}/../../golden/models/stories-bpe4k/model.bits", env!("CARGO_MANIFEST_DIR"));
    let mut native = Model::open(path).unwrap().resume(&file).unwrap();
    let expected = all(&mut one, 30).tokens;
    let found: Vec<u32> = (0..30).map(|_| native.next_token().unwrap()).collect();
    assert_eq!(found, expected);
    let mut back = Session::new(model.resume(&native.to_bytes()).unwrap()).unwrap();
    assert_eq!(all(&mut back, 10).tokens, all(&mut one, 10).tokens);
    assert_eq!(back.last_tokens().tokens.len() as u64, back.position());
}

#[test]
fn the_picture_has_every_head_and_its_middle_is_zero() {
    let model = model("stories-byte");
    let config = *model.config();
    let mut empty = Session::new(model.session(bitstate::Sampling::greedy()).unwrap()).unwrap();
    let size = config.n_layer * config.n_head * config.head_size * config.head_size;
    assert_eq!(picture::picture(&mut empty.inner).unwrap(), vec![128; size]);
    let picture = picture::picture(&mut session(&model, 1).inner).unwrap();
    for head in picture.chunks(config.head_size * config.head_size) {
        assert!(head.iter().any(|&value| value == 255 || value == 1), "each head has its own scale");
    }
}

#[test]
fn mismatched_files_give_errors() {
    let refused = |bits: &[u8], json: Option<&[u8]>| open(AlignedBytes::copy_of(bits), json).unwrap_err();
    let (byte, bpe) = (golden("models/stories-byte/model.bits"), golden("models/stories-bpe4k/model.bits"));
    let json = golden("models/stories-bpe4k/tokenizer.json");
    assert!(refused(b"no model", None).contains("not a model file"));
    assert!(refused(&bpe, None).contains("provide the tokenizer.json"));
    assert!(refused(&byte, Some(&json)).contains("not trained with this tokenizer"));
    assert!(refused(&bpe, Some(b"{}")).contains("not a tokenizer.json"));
    assert!(refused(&bpe[..bpe.len() - 1], Some(&json)).contains("not a model file"));
}
