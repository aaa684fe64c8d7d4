//! Weights that are copied to the heap give the same bits, and never take more than their budget.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_engine::Engine;
use bitstate_kernels::Variant;
use bitstate_model::{Model, Version, synthetic};
use support::{bits, config, tokens};

#[test]
fn copies_keep_the_bits_and_the_budget() {
    let config = config([64, 2, 2, 32, 2]);
    let file = synthetic(&config, 5, Version::V1_2);
    let model = Model::parse(&file).unwrap();
    let (d, f) = (config.n_embd, config.ff_dim());
    // Four weights per byte: r, k, v, g, o and the channel mix's r are D × D, the other two D × F.
    let all = config.n_layer * (6 * d * d + 2 * d * f) / 4;
    for variant in [Variant::Generic, Variant::Lut] {
        let logits = |engine: &Engine<'_>| {
            let (mut state, mut logits) = (engine.new_state(), vec![0.0; config.vocab_size]);
            engine.prefill(&tokens(config.vocab_size, 9), &mut state, &mut logits).unwrap();
            bits(&logits)
        };
        let expected = logits(&Engine::new(&model, variant).unwrap());
        for (budget, copied) in [(0, 0), (d * d / 4 - 1, 0), (d * d / 2 + 1, d * d / 2), (all, all), (usize::MAX, all)]
        {
            let mut engine = Engine::new(&model, variant).unwrap();
            assert_eq!(engine.copy_weights(budget), copied, "{variant:?} {budget}");
            assert_eq!(logits(&engine), expected, "{variant:?} {budget}");
        }
        let mut engine = Engine::new(&model, variant).unwrap();
        engine.copy_weights(usize::MAX);
        assert_eq!(engine.copy_weights(usize::MAX), 0, "nothing is copied twice");
    }
}
