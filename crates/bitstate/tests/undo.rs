//! Undo reproduces the original tokens, bit for bit; forks are independent.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Error, Model, Sampling, Session, Stop};
use support::{run, samplings, trained};

fn start(model: &Model, sampling: Sampling) -> Session {
    let mut session = model.session(sampling).unwrap();
    session.keep_checkpoints(8, 6).unwrap();
    session.feed_text("Once upon a time").unwrap();
    session
}

#[test]
fn every_token_comes_again() {
    for name in ["stories-byte", "stories-bpe4k"] {
        let model = trained(name);
        for sampling in samplings() {
            let mut session = start(&model, sampling);
            let prompt = session.position();
            let whole = run(&mut session, 40);
            for back in [1, 2, 7, 8, 9, 31, 40] {
                session.undo(back).unwrap();
                assert_eq!(session.position(), prompt + 40 - back);
                assert_eq!(run(&mut session, back as usize), whole[40 - back as usize..], "{name} {back}");
            }
        }
    }
}

/// The output text is reproduced too, even if a token is half a word or half a character.
#[test]
fn the_text_comes_again() {
    let model = trained("stories-bpe4k");
    let mut session = start(&model, model.sampling(4));
    let text = |session: &mut Session, n| -> String {
        session.text(Stop::new().ignore_end().max_tokens(n)).map(Result::unwrap).collect()
    };
    let (first, second) = (text(&mut session, 10), text(&mut session, 15));
    session.undo(15).unwrap();
    assert_eq!(text(&mut session, 15), second);
    session.undo(25).unwrap();
    assert_eq!(text(&mut session, 25), first + &second);
}

#[test]
fn a_turn_is_taken_back_and_other_tokens_may_follow() {
    let model = trained("stories-byte");
    let mut session = start(&model, model.sampling(9));
    run(&mut session, 5);
    let before = session.position();
    let fork = session.clone();
    session.feed_text(" The dog").unwrap();
    run(&mut session, 12);
    session.undo_to(before).unwrap();
    session.feed_text(" The cat").unwrap();
    let mut other = fork.clone();
    other.feed_text(" The cat").unwrap();
    assert_eq!(run(&mut session, 20), run(&mut other, 20));
    // Neither has affected the first.
    assert_eq!(fork.position(), before);
}

#[test]
fn only_the_newest_places_are_kept() {
    let model = trained("stories-byte");
    let mut session = start(&model, Sampling::greedy());
    run(&mut session, 200);
    let bytes = session.to_bytes();
    let Err(Error::Undo { asked, oldest }) = session.undo(150) else { panic!() };
    assert_eq!(asked, session.position() - 150);
    assert!(oldest > session.position() - 60 && oldest <= session.position() - 40, "{oldest}");
    assert!(session.undo(u64::MAX).is_err());
    assert_eq!(session.to_bytes(), bytes, "a refused undo changes nothing");
    session.undo_to(oldest).unwrap();
    // Without checkpoints nothing can be undone.
    let mut plain = model.session(Sampling::greedy()).unwrap();
    plain.feed_text("A").unwrap();
    plain.next_token().unwrap();
    let error = plain.undo(1).unwrap_err().to_string();
    assert!(error.contains("keep more checkpoints"), "{error}");
}

#[test]
fn answers_have_seeds_of_their_own() {
    let model = trained("stories-byte");
    let mut session = start(&model, model.sampling(30));
    let answers = session.answers(4);
    let alone = |seed| run(&mut start(&model, model.sampling(seed)), 30);
    for (mut answer, seed) in answers.into_iter().zip(30..) {
        assert_eq!(run(&mut answer, 30), alone(seed));
    }
    assert_eq!(run(&mut session, 30), alone(30));
}

/// A token that is given instead of chosen takes its place: what comes next is drawn with the number that it would have been drawn
/// with there, and the text stays whole in the middle of a character.
#[test]
fn a_given_token_takes_the_place_of_a_chosen_one() {
    for name in ["stories-byte", "stories-bpe4k"] {
        let model = trained(name);
        for sampling in samplings() {
            let mut session = start(&model, sampling);
            let prompt = session.position();
            let whole = run(&mut session, 12);
            session.undo_to(prompt + 5).unwrap();
            session.push(whole[5].0).unwrap();
            assert_eq!(session.position(), prompt + 6);
            let drawn = !session.sampling().temperature.eq(&0.0);
            let next = run(&mut session, 6);
            assert_eq!(next[0].1, whole[6].1, "the logits are those of the text");
            assert!(drawn || next == whole[6..], "{name}");
        }
    }
    let model = trained("stories-byte");
    let mut session = start(&model, Sampling::greedy());
    let pieces: Vec<String> = "ß".bytes().map(|byte| session.push(byte.into()).unwrap()).collect();
    assert_eq!(pieces, ["", "ß"]);
    let before = session.position();
    let error = session.push(256).unwrap_err().to_string();
    assert!(error.contains("token 256 is out of range"), "{error}");
    assert_eq!(session.position(), before);
}

#[test]
fn what_a_layer_remembers_is_there_to_be_looked_at() {
    let model = trained("stories-byte");
    let mut session = start(&model, Sampling::greedy());
    let shape = model.config();
    let values = |session: &mut Session, layer| session.wkv(layer).unwrap().map(<[f32]>::to_vec);
    let before = values(&mut session, 0).unwrap();
    assert_eq!(before.len(), shape.n_embd * shape.head_size);
    session.next_token().unwrap();
    assert_ne!(values(&mut session, 0).unwrap(), before, "the token that was chosen has been read");
    assert_eq!(values(&mut session, shape.n_layer), None);
    assert!(session.oldest_checkpoint() < session.position());
}
