//! Rejected calls: their messages say what to do, and they change nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_engine::{Engine, EngineError, ForwardError, TopLogit};
use bitstate_kernels::{MAX_N_EMBD, Variant};
use bitstate_model::{Model, Version, synthetic};
use support::{Run, config, file, tokens, variants};

#[test]
fn a_refused_call_changes_nothing() {
    let shape = [17, 2, 3, 8, 4];
    let (file, foreign) = (file(shape, Version::V1_2), synthetic(&config(shape), 8, Version::V1_2));
    let (model, foreign) = (Model::parse(&file).unwrap(), Model::parse(&foreign).unwrap());
    let tokens = tokens(17, 8);
    for variant in variants() {
        let mut run = Run::new(&model, variant);
        let expected = run.feed(&tokens);
        run.state.reset();
        run.feed(&tokens[..4]);
        let (before, logits_before) = (run.state.to_bytes(), run.logits.clone());

        let out_of_range = |token| Some(ForwardError::Token { token, vocab_size: 17 });
        for token in [17, 18, u32::MAX] {
            let refused = run.engine.forward(token, &mut run.state, &mut run.logits);
            assert_eq!(refused.err(), out_of_range(token));
            // Not even the valid tokens before it are processed.
            let refused = run.engine.prefill(&[1, 2, token, 3], &mut run.state, &mut run.logits);
            assert_eq!(refused.err(), out_of_range(token));
        }
        for token in [17, u32::MAX] {
            assert_eq!(run.engine.advance(&[1, token], &mut run.state).err(), out_of_range(token));
            let together = run.engine.advance_many(&[token], std::slice::from_mut(&mut run.state));
            assert_eq!(together.err(), out_of_range(token));
        }
        let together = run.engine.advance_many(&[1, 2], std::slice::from_mut(&mut run.state));
        assert_eq!(together.err(), Some(ForwardError::Sessions { tokens: 2, states: 1 }));
        assert_eq!(run.engine.advance(&[], &mut run.state).err(), Some(ForwardError::EmptyPrompt));
        let refused = run.engine.prefill(&[], &mut run.state, &mut run.logits);
        assert_eq!(refused.err(), Some(ForwardError::EmptyPrompt));
        for found in [0, 16, 18] {
            let mut wrong = vec![5.0; found];
            let refused = run.engine.forward(1, &mut run.state, &mut wrong);
            assert_eq!(refused.err(), Some(ForwardError::Logits { found, expected: 17 }));
            let refused = [
                run.engine.prefill(&[1], &mut run.state, &mut wrong),
                run.engine.logits(&mut run.state, &mut wrong),
                run.engine.top_logits(&mut run.state, &mut [], &mut wrong).map(|_| ()),
                run.engine.forward_many(&[1], std::slice::from_mut(&mut run.state), &mut wrong),
            ];
            assert!(refused.iter().all(|refused| *refused == Err(ForwardError::Logits { found, expected: 17 })));
            assert!(wrong.iter().all(|&logit| logit == 5.0));
        }
        let mut top = [TopLogit { token: 7, logit: 5.0 }; 18];
        let refused = run.engine.top_logits(&mut run.state, &mut top, &mut run.logits);
        assert_eq!(refused.err(), Some(ForwardError::Top { asked: 18, vocab_size: 17 }));
        assert!(top.iter().all(|top| top.token == 7));
        // Of the same shapes: another model's, and the same model's in another layout.
        let mut strangers = vec![Engine::new(&foreign, variant).unwrap().new_state()];
        let others = variants().into_iter().filter(|&other| other != variant);
        strangers.extend(others.map(|other| Engine::new(&model, other).unwrap().new_state()));
        for mut stranger in strangers {
            let stranger_before = stranger.to_bytes();
            assert_eq!(run.engine.forward(1, &mut stranger, &mut run.logits).err(), Some(ForwardError::State));
            assert_eq!(run.engine.prefill(&[1], &mut stranger, &mut run.logits).err(), Some(ForwardError::State));
            assert_eq!(run.engine.advance(&[1], &mut stranger).err(), Some(ForwardError::State));
            assert_eq!(run.engine.logits(&mut stranger, &mut run.logits).err(), Some(ForwardError::State));
            assert_eq!(stranger.to_bytes(), stranger_before);
        }

        assert_eq!(run.state.to_bytes(), before);
        assert_eq!(run.logits, logits_before);
        assert_eq!(run.feed(&tokens[4..]), expected[4..], "{variant:?}");
    }
}

#[test]
fn an_int8_head_that_could_overflow_is_refused() {
    let widest = [(MAX_N_EMBD, None), (MAX_N_EMBD + 1, Some(EngineError::TooWide { n_embd: MAX_N_EMBD + 1 }))];
    for (n_embd, refused) in widest {
        let shape = [2, 1, n_embd, 1, 1];
        let file = file(shape, Version::V1_2);
        let model = Model::parse(&file).unwrap();
        for variant in variants() {
            assert_eq!(Engine::new(&model, variant).err(), refused, "{variant:?} {n_embd}");
        }
    }
    let file = file([2, 1, MAX_N_EMBD + 1, 1, 1], Version::V1_1);
    let model = Model::parse(&file).unwrap();
    let mut run = Run::new(&model, Variant::best());
    assert_eq!(run.feed(&[1]), Run::new(&model, Variant::Generic).feed(&[1]), "an f32 head may be as wide as it likes");
}

#[test]
fn a_variant_that_cannot_run_here_is_refused() {
    let file = file([1, 1, 1, 1, 1], Version::V1_2);
    let model = Model::parse(&file).unwrap();
    let mut refused = 0;
    for variant in Variant::ALL {
        match Engine::new(&model, variant) {
            Ok(engine) => assert_eq!(engine.variant(), variant),
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains(variant.name()), "{error}");
            }
        }
    }
    assert_eq!(refused + variants().len(), Variant::ALL.len());
}

#[test]
fn errors_name_what_was_wrong() {
    let cases = [
        (ForwardError::Token { token: 17, vocab_size: 17 }.to_string(), "tokens 0 to 16"),
        (ForwardError::EmptyPrompt.to_string(), "give at least one token"),
        (ForwardError::NothingSeen.to_string(), "advance it by at least one first"),
        (ForwardError::Top { asked: 18, vocab_size: 17 }.to_string(), "18 largest logits were requested"),
        (ForwardError::Logits { found: 3, expected: 17 }.to_string(), "3 values, this call writes 17"),
        (ForwardError::State.to_string(), "another variant"),
        (EngineError::TooWide { n_embd: 2048 }.to_string(), "at most 1024"),
    ];
    for (text, part) in cases {
        assert!(text.contains(part), "{text}");
    }
}
