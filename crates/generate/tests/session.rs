//! A session compared with the oracle's run: the same tokens for every sampling and variant, without an allocation.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../engine/tests/counting/mod.rs"]
mod counting;
#[path = "../../kernels/tests/support/variants.rs"]
mod variants;

use bitstate_engine::{Engine, ForwardError};
use bitstate_generate::{Sampling, Session, SessionError};
use bitstate_kernels::NotFinite;
use bitstate_model::{EmbeddingWeights, Model, Preset, Version, Weights, synthetic};
use bitstate_reference as reference;
use counting::calls_during;
use variants::variants;

const PROMPT: [u32; 4] = [3, 1, 4, 1];
const TOKENS: usize = 24;

/// Sampling for the session and for the oracle.
fn samplings() -> [(Sampling, reference::Sampling); 3] {
    let seeded = |seed, temperature, top_k: u32, top_p, penalty| {
        (
            Sampling { seed, temperature, top_k, top_p, penalty, ..Sampling::greedy() },
            reference::Sampling::Seeded { seed, temperature, top_k: top_k as usize, top_p, penalty },
        )
    };
    [
        (Sampling::greedy(), reference::Sampling::Greedy),
        seeded(7, 0.8, 50, 0.9, 1.1),
        seeded(u64::MAX, 1.5, 0, 1.0, 1.0),
    ]
}

fn with_engines(mut check: impl FnMut(&Model<'_>, &Engine<'_>)) {
    let file = synthetic(&Preset::by_name("small").unwrap().config(), 5, Version::V1_2);
    let model = Model::parse(&file).unwrap();
    for kernels in variants() {
        check(&model, &Engine::new(&model, kernels.variant()).unwrap());
    }
}

/// Chooses and processes `room.capacity()` tokens.
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
            let mut session = Session::new(engine, sampling.clone()).unwrap();
            let mut tokens = Vec::with_capacity(TOKENS);
            let calls = calls_during(|| {
                // In two parts, which form one prompt.
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
            let mut undisturbed = Session::new(engine, sampling.clone()).unwrap();
            undisturbed.feed(&PROMPT).unwrap();
            let mut session = Session::new(engine, sampling.clone()).unwrap();
            let out_of_range = SessionError::from(ForwardError::Token { token: 64, vocab_size: 64 });
            assert_eq!(session.feed(&[5, 5, 64]), Err(out_of_range.clone()));
            session.feed(&PROMPT).unwrap();
            assert_eq!(session.feed(&[]), Err(ForwardError::EmptyPrompt.into()));
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

/// The two paths to a greedy token: only the largest logit, and all of them.
#[test]
fn the_logits_asked_for_first_change_no_choice() {
    with_engines(|_, engine| {
        for (sampling, _) in samplings() {
            let [mut plain, mut curious] = [(); 2].map(|()| Session::new(engine, sampling.clone()).unwrap());
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
            let mut session = Session::new(engine, sampling.clone()).unwrap();
            assert_eq!(session.choose(), Err(ForwardError::NothingSeen.into()));
            assert_eq!(session.logits(), Err(ForwardError::NothingSeen.into()));
            session.feed(&PROMPT).unwrap();
            session.choose().unwrap();
            // A copied state includes its last token, a restored one does not.
            let (mut other, saved) = (Session::new(engine, sampling.clone()).unwrap(), session.state().to_bytes());
            other.set_state(session.state().clone());
            assert_eq!(other.logits(), session.logits());
            session.set_state(engine.restore_state(&saved).unwrap());
            assert_eq!(session.choose(), Err(ForwardError::NothingSeen.into()));
            session.advance(5).unwrap();
            other.advance(5).unwrap();
            assert_eq!(other.logits(), session.logits());
        }
    });
}

/// The weights are finite, the logits are not: of all tokens, or of one that is never the largest.
#[test]
fn logits_that_are_no_numbers_name_the_position() {
    let config = Preset::by_name("small").unwrap().config();
    let weights = Weights::synthetic(&config, 5).unwrap();
    let int8 = Weights::from(&Model::parse(&weights.write(Version::V1_2).unwrap()).unwrap());
    let (mut all, mut one) = (weights, int8);
    all.ln_f.weight.fill(3e38);
    let EmbeddingWeights::Int8 { scales, .. } = &mut one.embedding else { unreachable!() };
    scales[9] = 3e38;
    let files = [(&all, Version::V1_0, 0), (&all, Version::V1_2, 0), (&one, Version::V1_2, 9)];
    for (weights, version, token) in files {
        let file = weights.write(version).unwrap();
        let model = Model::parse(&file).unwrap();
        for kernels in variants() {
            let engine = Engine::new(&model, kernels.variant()).unwrap();
            for (sampling, _) in samplings() {
                let mut session = Session::new(&engine, sampling.clone()).unwrap();
                for (fed, position) in [(&PROMPT[..], 4), (&PROMPT[..1], 5)] {
                    session.feed(fed).unwrap();
                    let refused = SessionError::NotFinite { position, not_finite: NotFinite { token } };
                    assert_eq!(session.choose(), Err(refused.clone()), "{version} {sampling:?}");
                    assert_eq!(session.logits(), Err(refused.clone()), "{version} {sampling:?}");
                    assert_eq!(session.choose(), Err(refused.clone()), "{version} {sampling:?}");
                    let text = refused.to_string();
                    assert!(text.contains(&format!("position {position}")) && text.contains(&format!("token {token}")));
                }
                session.advance(2).unwrap();
                assert_eq!(session.position(), 6);
            }
        }
    }
}

/// For any other parameters.
#[test]
fn a_temperature_of_zero_is_greedy() {
    with_engines(|_, engine| {
        let mut greedy = Session::new(engine, Sampling::greedy()).unwrap();
        greedy.feed(&PROMPT).unwrap();
        let mut expected = Vec::with_capacity(TOKENS);
        run(&mut greedy, &mut expected);
        for (seed, top_k, top_p, penalty) in [(1, 50, 0.9, 1.1), (2, 0, 1.0, 5.0)] {
            let sampling = Sampling { seed, temperature: 0.0, top_k, top_p, penalty, ..Sampling::greedy() };
            let mut session = Session::new(engine, sampling.clone()).unwrap();
            session.feed(&PROMPT).unwrap();
            let mut found = Vec::with_capacity(TOKENS);
            run(&mut session, &mut found);
            assert_eq!(found, expected, "{sampling:?}");
        }
    });
}
