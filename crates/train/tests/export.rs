//! The exported file equals the trained model.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_model::{Config, Model};
use bitstate_reference::{Definition, DefinitionState};
use bitstate_train::export::export;
use bitstate_train::net::{Batch, Net};
use bitstate_train::ops::{self, Wanted};
use bitstate_train::optim::AdamW;
use bitstate_train::params::Params;

const TOKENS: [u32; 24] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4];

/// Parameters a few steps after their initial values, so that no norm is still the identity.
fn trained(config: &Config) -> Params {
    let mut params = Params::new(config, 7);
    let mut adam = AdamW::new(&params);
    for step in 1..=5 {
        let batch = Batch { tokens: &TOKENS[..23], seq_len: 23 };
        let wanted = Wanted { targets: TOKENS[1..].into(), teacher: None };
        let net = Net::new(config, &params, true, true);
        let grads = net.gradients(net.loss(batch, wanted));
        adam.step(&mut params, &grads, &Default::default(), step, 2e-2);
    }
    params
}

#[test]
fn logits_of_the_file_are_those_of_the_trainer() {
    let config = Config {
        vocab_size: 40,
        n_layer: 2,
        n_embd: 24,
        n_head: 3,
        head_size: 8,
        ff_mult: 2,
        max_seq_len: 24,
        dropout: 0.0,
    };
    let params = trained(&config);
    let file = export(&config, &params).unwrap();
    let model = Model::parse(&file).unwrap();
    let definition = Definition::new(&model);
    let mut state = DefinitionState::new(&config);
    let theirs: Vec<f64> = TOKENS.iter().flat_map(|&token| definition.forward(token, &mut state)).collect();

    let net = Net::new(&config, &params, true, false);
    let ours = ops::values::<f32>(&net.logits(Batch { tokens: &TOKENS, seq_len: TOKENS.len() }));

    let mean = theirs.iter().sum::<f64>() / theirs.len() as f64;
    let spread = (theirs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / theirs.len() as f64).sqrt();
    let furthest = ours.iter().zip(&theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(furthest <= 1e-4 * spread, "{furthest} apart, at a spread of {spread}");
}

#[test]
fn what_is_not_finite_is_not_exported() {
    let config = bitstate_model::Preset::by_name("small").unwrap().config();
    let mut params = Params::new(&config, 7);
    params.0[0].values[0] = f32::NAN;
    let error = export(&config, &params).unwrap_err().to_string();
    assert!(error.contains("embedding"), "{error}");
}
