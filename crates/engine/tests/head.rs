//! The head runs on request: the logits of a state, regardless of how it processed its last token, and the largest of
//! them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_engine::{ForwardError, State, TopLogit};
use bitstate_kernels::Variant;
use bitstate_model::{Model, Version};
use support::{Run, SHAPES, bits, file, tokens, variants};

/// Every shape in one version, in every variant.
fn each_run(mut check: impl FnMut(&str, &Model<'_>, Variant)) {
    for (shape, version) in SHAPES.into_iter().zip(Version::ALL.into_iter().cycle()) {
        let file = file(shape, version);
        let model = Model::parse(&file).unwrap();
        for variant in variants() {
            check(&format!("{shape:?} {version} {variant:?}"), &model, variant);
        }
    }
}

#[test]
fn logits_are_those_of_forward_whenever_they_are_asked_for() {
    each_run(|name, model, variant| {
        let tokens = tokens(model.config.vocab_size, 37);
        let expected = Run::new(model, variant).feed(&tokens);
        let Run { engine, mut state, mut logits } = Run::new(model, variant);
        // Whole batches, parts of one, single tokens; logits in between, or twice, or of a clone.
        let mut fed = 0;
        for n in [1, 16, 2, 17, 1] {
            engine.advance(&tokens[fed..fed + n], &mut state).unwrap();
            fed += n;
            if n != 2 {
                for mut state in [state.clone(), state.clone()] {
                    engine.logits(&mut state, &mut logits).unwrap();
                    assert_eq!(bits(&logits), expected[fed - 1], "{name} {fed}");
                }
                engine.logits(&mut state, &mut logits).unwrap();
                assert_eq!(bits(&logits), expected[fed - 1], "{name} {fed}");
            }
        }
    });
}

#[test]
fn sessions_advanced_together_have_logits_of_their_own() {
    each_run(|name, model, variant| {
        let vocab_size = model.config.vocab_size;
        let engine = Run::new(model, variant).engine;
        for sessions in [1, 3, 19] {
            let mut states = vec![engine.new_state(); sessions];
            let mut alone: Vec<_> = (0..sessions).map(|_| Run::new(model, variant)).collect();
            let mut logits = vec![0.0; vocab_size];
            for step in tokens(vocab_size, 2 * sessions).chunks(sessions) {
                engine.advance_many(step, &mut states).unwrap();
                for ((run, state), &token) in alone.iter_mut().zip(&mut states).zip(step) {
                    engine.logits(state, &mut logits).unwrap();
                    assert_eq!(run.feed(&[token]), [bits(&logits)], "{name} {sessions}");
                }
            }
        }
    });
}

#[test]
fn top_logits_are_the_first_of_all_logits_in_order() {
    each_run(|name, model, variant| {
        let vocab_size = model.config.vocab_size;
        let mut run = Run::new(model, variant);
        for token in tokens(vocab_size, 5) {
            run.feed(&[token]);
            let mut expected: Vec<TopLogit> =
                (0..).zip(&run.logits).map(|(token, &logit)| TopLogit { token, logit }).collect();
            expected.sort_by(TopLogit::order);
            for k in [0, 1, 2, 50, vocab_size] {
                let k = k.min(vocab_size);
                let (mut top, mut room) = (vec![TopLogit::default(); k], vec![f32::NAN; vocab_size]);
                run.engine.top_logits(&mut run.state, &mut top, &mut room).unwrap();
                assert_eq!(top, expected[..k], "{name} {k}");
            }
        }
    });
}

#[test]
fn top_logits_of_many_sessions_are_those_of_each() {
    each_run(|name, model, variant| {
        let vocab_size = model.config.vocab_size;
        let mut engine = Run::new(model, variant).engine;
        for laid_out in [false, true] {
            for (sessions, k) in [(1, 1), (3, 2.min(vocab_size)), (19, 1)] {
                let mut states = vec![engine.new_state(); sessions];
                engine.advance_many(&tokens(vocab_size, sessions), &mut states).unwrap();
                let mut top = vec![TopLogit::default(); sessions * k];
                let mut room = vec![f32::NAN; vocab_size];
                engine.top_logits_many(&mut states, &mut top, &mut room).unwrap();
                for (state, top) in states.iter_mut().zip(top.chunks(k)) {
                    let mut alone = vec![TopLogit::default(); k];
                    engine.top_logits(state, &mut alone, &mut room).unwrap();
                    assert_eq!(top, alone, "{name} {sessions} {k} {laid_out}");
                }
                let refused = engine.top_logits_many(&mut states, &mut top, &mut room[1..]);
                assert!(matches!(refused, Err(ForwardError::Logits { .. })), "{name}");
                let mut odd = vec![TopLogit::default(); sessions * vocab_size + 1];
                let refused = engine.top_logits_many(&mut states, &mut odd, &mut room);
                assert!(matches!(refused, Err(ForwardError::TopMany { .. })), "{name}");
                states[sessions - 1].reset();
                let refused = engine.top_logits_many(&mut states, &mut top, &mut room);
                assert_eq!(refused, Err(ForwardError::NothingSeen), "{name}");
            }
            engine.top_logits_many::<State>(&mut [], &mut [], &mut vec![0.0; vocab_size]).unwrap();
            engine.lay_out_for_many();
        }
    });
}

/// A state without a last token has no logits: it is new, reset, or restored.
#[test]
fn a_state_that_has_seen_nothing_has_no_logits() {
    each_run(|name, model, variant| {
        let vocab_size = model.config.vocab_size;
        let tokens = tokens(vocab_size, 4);
        let mut run = Run::new(model, variant);
        let new = run.state.clone();
        run.feed(&tokens);
        let restored = run.engine.restore_state(&run.state.to_bytes()).unwrap();
        let mut reset = run.state.clone();
        reset.reset();
        for mut state in [new, reset, restored] {
            let (mut logits, mut top) = (vec![5.0; vocab_size], [TopLogit { token: 7, logit: 5.0 }]);
            let before = state.to_bytes();
            assert_eq!(run.engine.logits(&mut state, &mut logits), Err(ForwardError::NothingSeen), "{name}");
            let refused = run.engine.top_logits(&mut state, &mut top, &mut logits);
            assert_eq!(refused, Err(ForwardError::NothingSeen), "{name}");
            assert!(logits.iter().all(|&logit| logit == 5.0) && top == [TopLogit { token: 7, logit: 5.0 }]);
            assert_eq!(state.to_bytes(), before, "{name}");
        }
        // After one more token, a restored state has the logits of the saved session.
        let mut restored = run.engine.restore_state(&run.state.to_bytes()).unwrap();
        run.engine.advance(&tokens[..1], &mut restored).unwrap();
        let mut logits = vec![0.0; vocab_size];
        run.engine.logits(&mut restored, &mut logits).unwrap();
        assert_eq!([bits(&logits)], run.feed(&tokens[..1])[..], "{name}");
    });
}
