//! Generated text: whole characters, stop texts across pieces, ends, probabilities.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Ended, Error, Model, Sampling, Session, Stop, Variant};
use support::{everywhere, small, trained};

fn once(model: &Model, seed: u64) -> Session {
    let mut session = model.session(model.sampling(seed)).unwrap();
    session.feed_text("Once upon a time").unwrap();
    session
}

fn all(text: impl Iterator<Item = Result<String, Error>>) -> String {
    text.map(|piece| piece.unwrap()).inspect(|piece| assert!(!piece.is_empty())).collect()
}

#[test]
fn a_model_can_be_shared_among_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    fn moved<T: Send>() {}
    shared::<Model>();
    moved::<Session>();
}

#[test]
fn a_text_to_stop_at_is_never_seen_however_it_comes() {
    for name in ["stories-byte", "stories-bpe4k"] {
        let model = trained(name);
        let whole = all(once(&model, 3).text(Stop::new().ignore_end().max_tokens(150)));
        // Every substring of the text, in any pieces.
        let places: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
        for (at, until) in places.iter().zip(&places[5..]).step_by(7) {
            let stop = &whole[*at..*until];
            let mut session = once(&model, 3);
            let text = all(session.text(Stop::new().ignore_end().max_tokens(150).text(stop).text("never met")));
            assert_eq!(text, whole[..whole.find(stop).unwrap()], "{stop:?}");
            assert_eq!(session.ended(), Some(&Ended::Text(stop.into())));
        }
        let mut session = once(&model, 3);
        let text = all(session.text(Stop::new().ignore_end().max_tokens(150).text("never met").text("")));
        assert_eq!(text, whole);
        assert_eq!(session.ended(), Some(&Ended::Budget));
    }
}

#[test]
fn tokens_and_text_are_the_same_text() {
    let model = trained("stories-bpe4k");
    let text = all(once(&model, 8).text(Stop::new().max_tokens(400)));
    let mut session = once(&model, 8);
    let tokens: Vec<_> = session.tokens(Stop::new().max_tokens(400).alternatives(3)).map(Result::unwrap).collect();
    let pieces: String = tokens.iter().map(|token| token.piece.as_str()).collect();
    assert_eq!(pieces, text);
    for token in &tokens {
        assert_eq!(token.alternatives.len(), 3);
        let [first, second, _] = token.alternatives[..] else { panic!() };
        assert!(first.logprob >= second.logprob && first.logprob <= 0.0);
        assert!(token.logprob.unwrap() <= first.logprob);
    }
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    assert_eq!(model.tokenizer().unwrap().decode(&ids), text);
}

#[test]
fn probabilities_sum_to_one_and_have_the_same_bits_everywhere() {
    let mut found: Vec<Vec<u32>> = Vec::new();
    for model in everywhere("stories-bpe4k") {
        let alternatives = once(&model, 1).alternatives(usize::MAX).unwrap();
        let sum: f64 = alternatives.iter().map(|other| f64::from(other.logprob).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        found.push(alternatives.iter().map(|other| other.logprob.to_bits()).collect());
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_token_that_ends_the_text_is_not_part_of_it() {
    let model = trained("stories-byte");
    let mut session = once(&model, 1);
    let position = session.position();
    assert_eq!(
        session.tokens(Stop::new().token(b','.into())).map(Result::unwrap).count() as u64,
        session.position() - position
    );
    assert!(matches!(session.ended(), Some(Ended::Token(_))));
    // The token with which the model ends a text.
    let mut session = model.session(Sampling::greedy().bias(0, 1e6)).unwrap();
    session.feed_text("").unwrap();
    assert_eq!(all(session.text(Stop::new())), "");
    assert_eq!(session.ended(), Some(&Ended::Token(0)));
    assert_eq!(session.tokens(Stop::new().ignore_end().max_tokens(2)).count(), 2);
}

#[test]
fn what_cannot_be_is_said_with_the_fix() {
    let of = |error: Error| error.to_string();
    let ids = small();
    let mut session = ids.session(Sampling::greedy()).unwrap();
    assert!(of(session.feed_text("a").unwrap_err()).contains("feed it token ids"));
    assert!(of(session.next_token().unwrap_err()).contains("has had no token"));
    assert!(of(session.feed(&[64]).unwrap_err()).contains("tokens 0 to 63"));
    session.feed(&[1]).unwrap();
    assert!(of(session.text(Stop::new()).next().unwrap().unwrap_err()).contains("give it a tokenizer"));
    assert!(of(ids.session(Sampling::seeded(1).top_p(0.0)).unwrap_err()).contains("top-p is 0"));
    assert!(of(Model::from_bytes(b"BITS").unwrap_err()).contains("not a model file"));
    assert!(of(Model::open("no/such.bits").unwrap_err()).contains("cannot read no/such.bits"));
    let missing = Variant::ALL
        .into_iter()
        .find_map(|variant| Model::builder().variant(variant).open(support::path("stories-byte")).err());
    assert!(of(missing.unwrap()).contains("without a named variant"));
}

/// A session's memory is its last tokens and checkpoints, for any length of text.
#[test]
fn a_long_text_and_a_long_prompt_are_taken() {
    let model = trained("stories-byte");
    let mut session = model.session(model.sampling(2)).unwrap();
    session.keep_checkpoints(16, 4).unwrap();
    session.feed_text(&"The cat sat. ".repeat(2000)).unwrap();
    assert_eq!(session.position(), 26_000);
    assert_eq!(session.last_tokens().len(), 1024);
    assert_eq!(session.tokens(Stop::new().ignore_end().max_tokens(3000)).count(), 3000);
    assert_eq!(session.last_tokens().len(), 1024);
    session.undo(40).unwrap();
}
