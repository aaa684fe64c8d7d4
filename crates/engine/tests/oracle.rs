//! The engine's logits equal the canonical oracle's, to the bit: for every shape, file version and variant.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_kernels::Variant;
use bitstate_model::{BitLinearWeights, EmbeddingWeights, Model, Version, Weights};
use bitstate_reference::{Canonical, CanonicalState};
use support::{Run, SHAPES, bits, config, file, tokens, variants};

/// The bits of the oracle's logits after each of `tokens`.
fn oracle(model: &Model<'_>, tokens: &[u32]) -> Vec<Vec<u32>> {
    let (canonical, mut state) = (Canonical::new(model), CanonicalState::new(&model.config));
    tokens.iter().map(|&token| bits(&canonical.forward(token, &mut state))).collect()
}

#[test]
fn forty_tokens_of_every_shape_version_and_variant() {
    for shape in SHAPES {
        for version in Version::ALL {
            let file = file(shape, version);
            let model = Model::parse(&file).unwrap();
            let tokens = tokens(shape[0], 40);
            let expected = oracle(&model, &tokens);
            for variant in variants() {
                let found = Run::new(&model, variant).feed(&tokens);
                assert_eq!(found, expected, "{shape:?} {version} {variant:?}");
            }
        }
    }
}

#[test]
fn prefill_is_the_tokens_one_by_one() {
    for (shape, version) in SHAPES.into_iter().zip(Version::ALL.into_iter().cycle()) {
        let file = file(shape, version);
        let model = Model::parse(&file).unwrap();
        let tokens = tokens(shape[0], 24);
        for variant in variants() {
            let mut whole = Run::new(&model, variant);
            let expected = whole.feed(&tokens);
            for cut in [2, 7, 24] {
                let name = format!("{shape:?} {version} {variant:?} {cut}");
                let mut parts = Run::new(&model, variant);
                let mut fed = 0;
                for part in tokens.chunks(cut) {
                    parts.engine.prefill(part, &mut parts.state, &mut parts.logits).unwrap();
                    fed += part.len();
                    assert_eq!(bits(&parts.logits), expected[fed - 1], "{name}");
                }
                assert_eq!(parts.state.to_bytes(), whole.state.to_bytes(), "{name}");
            }
        }
    }
}

#[test]
fn many_sessions_together_are_each_alone() {
    for (shape, version) in SHAPES.into_iter().zip(Version::ALL.into_iter().cycle()) {
        let file = file(shape, version);
        let model = Model::parse(&file).unwrap();
        let vocab_size = shape[0];
        for variant in variants() {
            let mut laid_out = Run::new(&model, variant).engine;
            laid_out.lay_out_for_many();
            let plain = Run::new(&model, variant).engine;
            let engines = [(&plain, 3), (&plain, 19), (&laid_out, 1), (&laid_out, 2), (&laid_out, 8), (&laid_out, 33)];
            for (engine, sessions) in engines {
                let name = format!("{shape:?} {version} {variant:?} {sessions}");
                let mut states = vec![engine.new_state(); sessions];
                let mut alone: Vec<_> = (0..sessions).map(|_| Run::new(&model, variant)).collect();
                let mut logits = vec![0.0; sessions * vocab_size];
                for step in tokens(vocab_size, 3 * sessions).chunks(sessions) {
                    engine.forward_many(step, &mut states, &mut logits).unwrap();
                    for ((run, &token), logits) in alone.iter_mut().zip(step).zip(logits.chunks(vocab_size)) {
                        assert_eq!(run.feed(&[token]), [bits(logits)], "{name}");
                    }
                }
                for (state, run) in states.iter().zip(&alone) {
                    assert_eq!(state.to_bytes(), run.state.to_bytes(), "{name}");
                }
            }
        }
    }
}

/// Every matrix of a model.
fn linears(weights: &mut Weights) -> impl Iterator<Item = &mut BitLinearWeights> {
    weights.layers.iter_mut().flat_map(|layer| {
        let (tm, cm) = (&mut layer.time_mix, &mut layer.channel_mix);
        [&mut tm.r, &mut tm.k, &mut tm.v, &mut tm.g, &mut tm.o, &mut cm.k, &mut cm.r, &mut cm.v]
    })
}

/// A change of a model's weights that makes the arithmetic overflow, or nearly so.
type Extreme = (&'static str, fn(&mut Weights));

const EXTREMES: [Extreme; 9] = [
    ("scales of 1e38", |w| linears(w).for_each(|linear| linear.scale = 1e38)),
    ("scales of -1e38", |w| linears(w).for_each(|linear| linear.scale = -1e38)),
    ("subnormal scales", |w| linears(w).for_each(|linear| linear.scale = 1e-44)),
    ("scales of 0", |w| linears(w).for_each(|linear| linear.scale = 0.0)),
    ("a norm of 1e38", |w| linears(w).for_each(|linear| linear.norm.weight.fill(1e38))),
    ("the final norm of 3e38", |w| w.ln_f.weight.fill(3e38)),
    ("a decay of exp(80)", |w| w.layers.iter_mut().for_each(|layer| layer.time_mix.log_decay.fill(80.0))),
    ("a bonus of exp(100)", |w| w.layers.iter_mut().for_each(|layer| layer.time_mix.u.fill(100.0))),
    ("an embedding of 1e38", |w| match &mut w.embedding {
        EmbeddingWeights::F32(rows) => rows.iter_mut().for_each(|e| *e *= 1e38),
        EmbeddingWeights::Int8 { scales, .. } => scales.fill(1e38),
    }),
];

#[test]
fn infinities_and_nans_are_the_same_everywhere() {
    let mut not_finite = 0;
    for (name, change) in EXTREMES {
        for shape in [[17, 2, 3, 8, 4], [9, 1, 1, 33, 2]] {
            let mut weights = Weights::synthetic(&config(shape), 3).unwrap();
            change(&mut weights);
            for version in Version::ALL {
                let file = weights.write(version).unwrap();
                let model = Model::parse(&file).unwrap();
                let tokens = tokens(shape[0], 12);
                let expected = oracle(&model, &tokens);
                not_finite += expected.iter().flatten().filter(|&&bits| !f32::from_bits(bits).is_finite()).count();
                for variant in variants() {
                    let found = Run::new(&model, variant).feed(&tokens);
                    assert_eq!(found, expected, "{name} {shape:?} {version} {variant:?}");
                }
            }
        }
    }
    assert!(not_finite > 1000, "{not_finite}: these models are there to leave the finite numbers");
}

/// Validates the test above: it would notice an engine with other weights.
#[test]
fn other_weights_give_other_logits() {
    let shape = SHAPES[0];
    let files = [7, 8].map(|seed| bitstate_model::synthetic(&config(shape), seed, Version::V1_2));
    let [a, b] = files
        .each_ref()
        .map(|file| Run::new(&Model::parse(file).unwrap(), Variant::Generic).feed(&tokens(shape[0], 4)));
    assert_ne!(a, b);
}
