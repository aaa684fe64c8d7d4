//! Logits that are NaN or infinite are an error of every call that returns logits, for every path of the head.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_engine::{Engine, ForwardError, HeadPath, NotFinite, TopLogit};
use bitstate_model::{EmbeddingWeights, Model, Version, Weights};
use support::{bits, config, tokens, variants};

/// A head large enough for two stages, and one that is not.
const SHAPES: [[usize; 5]; 2] = [[16_411, 1, 2, 32, 1], [64, 2, 2, 32, 2]];

/// The file of a model with weights changed by `change`; an INT8 embedding if `int8`.
fn file(shape: [usize; 5], version: Version, change: impl FnOnce(&mut Weights)) -> Vec<u8> {
    let mut weights = Weights::synthetic(&config(shape), 7).unwrap();
    if version == Version::V1_2 {
        // In the form of the file, so that its scales can be changed.
        let file = weights.write(version).unwrap();
        weights = Weights::from(&Model::parse(&file).unwrap());
    }
    change(&mut weights);
    weights.write(version).unwrap()
}

/// A model with finite weights of the last norm so large that the logits overflow.
fn overflowing(shape: [usize; 5], version: Version) -> Vec<u8> {
    file(shape, version, |weights| weights.ln_f.weight.fill(3e38))
}

/// Asserts that every call that returns logits fails for a session with `prompt`, naming the same token.
fn refuses(file: &[u8], prompt: &[u32], token: u32, name: &str) {
    let model = Model::parse(file).unwrap();
    for variant in variants() {
        let name = format!("{name} {variant:?}");
        let mut engine = Engine::new(&model, variant).unwrap();
        let vocab_size = engine.config().vocab_size;
        let refused = ForwardError::NotFinite(NotFinite { token });
        let (mut state, mut logits) = (engine.new_state(), vec![0.0; vocab_size]);
        assert_eq!(engine.prefill(prompt, &mut state, &mut logits), Err(refused.clone()), "{name}");
        let processed = state.to_bytes();
        assert_eq!(engine.logits(&mut state, &mut logits), Err(refused.clone()), "{name}");
        for k in [1, 2, 20] {
            let mut top = vec![TopLogit { token: 7, logit: 5.0 }; k];
            assert_eq!(engine.top_logits(&mut state, &mut top, &mut logits), Err(refused.clone()), "{name} {k}");
            assert!(top.iter().all(|top| *top == TopLogit { token: 7, logit: 5.0 }), "{name} {k}");
        }
        let mut alone = engine.new_state();
        let (&last, first) = prompt.split_last().unwrap();
        if !first.is_empty() {
            engine.advance(first, &mut alone).unwrap();
        }
        assert_eq!(engine.forward(last, &mut alone, &mut logits), Err(refused), "{name}");
        assert_eq!(alone.to_bytes(), processed, "{name}: the tokens were processed");

        for laid_out in [false, true] {
            let mut states = vec![state.clone(); 18];
            let mut top = vec![TopLogit::default(); 18];
            let many = engine.top_logits_many(&mut states, &mut top, &mut logits);
            assert_eq!(many, Err(ForwardError::NotFiniteMany { session: 0, token }), "{name} {laid_out}");
            if let [token_in] = prompt {
                let mut states = vec![engine.new_state(); 3];
                let mut all = vec![0.0; 3 * vocab_size];
                let many = engine.forward_many(&[*token_in; 3], &mut states, &mut all);
                assert_eq!(many, Err(ForwardError::NotFiniteMany { session: 0, token }), "{name} {laid_out}");
            }
            engine.lay_out_for_many();
        }
    }
}

#[test]
fn weights_that_overflow_are_an_error_of_every_call() {
    for shape in SHAPES {
        for version in Version::ALL {
            refuses(&overflowing(shape, version), &[3], 0, &format!("{shape:?} {version}"));
        }
    }
}

/// The two-stage head would never compute it: if it is negative, it is far below the largest.
#[test]
fn one_logit_of_any_sign_is_enough() {
    for shape in SHAPES {
        for (token, tokens) in [(9, [3]), (63, [5])] {
            let file = file(shape, Version::V1_2, |weights| {
                let EmbeddingWeights::Int8 { scales, .. } = &mut weights.embedding else { unreachable!() };
                scales[token as usize] = 3e38;
            });
            refuses(&file, &tokens, token, &format!("{shape:?} {token}"));
        }
    }
}

/// An overflow within a layer turns all logits into NaN: in the matrices' inputs, in the state, in the residual stream.
#[test]
fn what_overflows_in_a_layer_is_seen_in_the_logits() {
    type Change = fn(&mut Weights);
    let changes: [(&str, Change); 9] = [
        ("ln1", |weights| weights.layers[0].ln1.weight.fill(3e38)),
        // For values so large the variance overflows, and an output of only biases would hide it.
        ("ln1, variance", |weights| weights.layers[0].ln1.weight.fill(1e25)),
        ("v, variance", |weights| weights.layers[0].time_mix.v.scale = 1e25),
        ("o, variance", |weights| weights.layers[0].time_mix.o.scale = 1e25),
        ("r", |weights| weights.layers[0].time_mix.r.norm.weight.fill(3e38)),
        ("v", |weights| weights.layers[0].time_mix.v.scale = 3e38),
        ("u", |weights| weights.layers[0].time_mix.u.fill(1e3)),
        ("o", |weights| weights.layers[0].time_mix.o.scale = 3e38),
        ("cm.k", |weights| weights.layers[0].channel_mix.k.scale = 3e38),
    ];
    for shape in SHAPES {
        for (name, change) in changes {
            for version in [Version::V1_1, Version::V1_2] {
                refuses(&file(shape, version, change), &[3, 1], 0, &format!("{shape:?} {version} {name}"));
            }
        }
    }
}

/// A row of zeros has a logit of 0 for any scale, and is accepted.
#[test]
fn a_scale_that_could_overflow_but_does_not_is_no_error() {
    for shape in SHAPES {
        let token = 11;
        let file = file(shape, Version::V1_2, |weights| {
            let EmbeddingWeights::Int8 { rows, scales } = &mut weights.embedding else { unreachable!() };
            rows[token * 64..][..64].fill(0);
            scales[token] = 1e30;
        });
        let model = Model::parse(&file).unwrap();
        let mut expected = None;
        for variant in variants() {
            let engine = Engine::new(&model, variant).unwrap();
            let vocab_size = engine.config().vocab_size;
            let (mut state, mut logits) = (engine.new_state(), vec![0.0; vocab_size]);
            engine.prefill(&tokens(vocab_size, 5), &mut state, &mut logits).unwrap();
            assert_eq!(logits[token], 0.0, "{shape:?} {variant:?}");
            let mut top = [TopLogit::default(); 2];
            let path = engine.top_logits(&mut state, &mut top, &mut vec![0.0; vocab_size]).unwrap();
            let two_stage = matches!(path, HeadPath::TwoStage { .. });
            assert!(!two_stage || vocab_size > 64, "{path:?}");
            assert_eq!(expected.get_or_insert((bits(&logits), top)), &(bits(&logits), top), "{shape:?} {variant:?}");
        }
    }
}

/// Among many sessions the error names the one; the others are unaffected.
#[test]
fn the_error_names_the_session() {
    let shape = SHAPES[0];
    // An overflow only after token 5: the variance of its row.
    let file = file(shape, Version::V1_1, |weights| {
        let EmbeddingWeights::F32(rows) = &mut weights.embedding else { unreachable!() };
        rows[5 * 64] = 1e30;
    });
    let model = Model::parse(&file).unwrap();
    for variant in variants() {
        let engine = Engine::new(&model, variant).unwrap();
        let vocab_size = engine.config().vocab_size;
        let mut states = vec![engine.new_state(); 19];
        let mut tokens = [4; 19];
        tokens[17] = 5;
        let mut logits = vec![0.0; 19 * vocab_size];
        let refused = engine.forward_many(&tokens, &mut states, &mut logits);
        let Err(ForwardError::NotFiniteMany { session, .. }) = refused else { panic!("{variant:?}: {refused:?}") };
        assert_eq!(session, 17, "{variant:?}");
        let mut top = vec![TopLogit::default(); 19];
        let refused = engine.top_logits_many(&mut states, &mut top, &mut vec![0.0; vocab_size]);
        let Err(ForwardError::NotFiniteMany { session, .. }) = refused else { panic!("{variant:?}: {refused:?}") };
        assert_eq!(session, 17, "{variant:?}");
    }
}
