//! A session against the oracle's run: the same tokens for every sampling and variant, without an allocation.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../engine/tests/counting/mod.rs"]
mod counting;
#[path = "../../kernels/tests/support/variants.rs"]
mod variants;

use bitstate_engine::{Engine, ForwardError};
use bitstate_generate::{Sampling, Session};
use bitstate_model::{Model, Preset, Version, synthetic};
use bitstate_reference as reference;
use counting::calls_during;
use variants::variants;

const PROMPT: [u32; 4] = [3, 1, 4, 1];
const TOKENS: usize = 24;

/// Sampling for the session and for the oracle.
fn samplings() -> [(Sampling, reference::Sampling); 3] {
    let seeded = |seed, temperature, top_k: u32, top_p, penalty| {
        (
            Sampling::Seeded { seed, temperature, top_k, top_p, penalty },
            reference::Sampling::Seeded { seed, temperature, top_k: top_k as usize, top_p, penalty },
        )
    };
    [(Sampling::Greedy, reference::Sampling::Greedy), seeded(7, 0.8, 50, 0.9, 1.1), seeded(u64::MAX, 1.5, 0, 1.0, 1.0)]
}

fn with_engines(mut check: impl FnMut(&Model<'_>, &Engine<'_>)) {
    let file = synthetic(&Preset::by_name("small").unwrap().config(), 5, Version::V1_2);
    let model = Model::parse(&file).unwrap();
    for kernels in variants() {
        check(&model, &Engine::new(&model, kernels.variant()).unwrap());
    }
}

/// Chooses and takes in `room.capacity()` tokens.
fn run(session: &mut Session<'_, '_>, room: &mut Vec<u32>) {
    while room.len() < room.capacity() {
        let token = session.choose().unwrap();
        room.push(token);
        session.advance(token).unwrap();
    }
}

#[test]
fn a_session_gives_the_oracles_tokens_and_allocates_nothing() {
    let mut expected: [Vec<u32>; 3] = Default::default();
    with_engines(|model, engine| {
        for ((sampling, oracle), expected) in samplings().into_iter().zip(&mut expected) {
            if expected.is_empty() {
                let canonical = reference::Canonical::new(model);
                *expected = reference::generate(&canonical, &PROMPT, &oracle, TOKENS).tokens;
            }
            let mut session = Session::new(engine, sampling).unwrap();
            let mut tokens = Vec::with_capacity(TOKENS);
            let calls = calls_during(|| {
                // In two parts, which make one prompt.
                session.feed(&PROMPT[..1]).unwrap();
                session.feed(&PROMPT[1..]).unwrap();
                run(&mut session, &mut tokens);
            });
            assert_eq!(&tokens, expected, "{:?} {sampling:?}", engine.variant());
            assert_eq!(calls, 0, "{:?} {sampling:?}", engine.variant());
        }
    });
}

#[test]
fn a_refused_prompt_leaves_the_session_as_it_was() {
    with_engines(|_, engine| {
        for (sampling, _) in samplings() {
            let mut undisturbed = Session::new(engine, sampling).unwrap();
            undisturbed.feed(&PROMPT).unwrap();
            let mut session = Session::new(engine, sampling).unwrap();
            let out_of_range = ForwardError::Token { token: 64, vocab_size: 64 };
            assert_eq!(session.feed(&[5, 5, 64]), Err(out_of_range.clone()));
            session.feed(&PROMPT).unwrap();
            assert_eq!(session.feed(&[]), Err(ForwardError::EmptyPrompt));
            assert_eq!(session.feed(&[5, 5, 64]), Err(out_of_range.clone()));
            assert_eq!(session.advance(64), Err(out_of_range));
            assert_eq!(session.logits().unwrap(), undisturbed.logits().unwrap());
            let [mut a, mut b] = [(); 2].map(|()| Vec::with_capacity(TOKENS));
            run(&mut undisturbed, &mut a);
            run(&mut session, &mut b);
            assert_eq!(a, b);
        }
    });
}

/// The two ways to a greedy token: the largest logit alone, and all of them.
#[test]
fn the_logits_asked_for_first_change_no_choice() {
    with_engines(|_, engine| {
        for (sampling, _) in samplings() {
            let [mut plain, mut curious] = [(); 2].map(|()| Session::new(engine, sampling).unwrap());
            plain.feed(&PROMPT).unwrap();
            curious.feed(&PROMPT).unwrap();
            for _ in 0..TOKENS {
                let before = curious.logits().unwrap().to_vec();
                let token = plain.choose().unwrap();
                assert_eq!(curious.choose(), Ok(token));
                assert_eq!(plain.logits().unwrap(), before);
                assert_eq!(curious.logits().unwrap(), before);
                plain.advance(token).unwrap();
                curious.advance(token).unwrap();
            }
        }
    });
}

#[test]
fn a_session_that_has_seen_nothing_chooses_nothing() {
    with_engines(|_, engine| {
        for (sampling, _) in samplings() {
            let mut session = Session::new(engine, sampling).unwrap();
            assert_eq!(session.choose(), Err(ForwardError::NothingSeen));
            assert_eq!(session.logits(), Err(ForwardError::NothingSeen));
            session.feed(&PROMPT).unwrap();
            session.choose().unwrap();
            // A state taken over brings its last token along, a restored one has none.
            let (mut other, saved) = (Session::new(engine, sampling).unwrap(), session.state().to_bytes());
            other.set_state(session.state().clone());
            assert_eq!(other.logits(), session.logits());
            session.set_state(engine.restore_state(&saved).unwrap());
            assert_eq!(session.choose(), Err(ForwardError::NothingSeen));
            session.advance(5).unwrap();
            other.advance(5).unwrap();
            assert_eq!(other.logits(), session.logits());
        }
    });
}
