//! The sampler chain compared with the oracle, bit for bit: each sampler alone, and any combination.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_generate::{Order, Sampling, SamplingError};
use bitstate_reference as reference;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::{agree_on, parameters, session};

/// The oracle's equivalent.
fn oracle(sampling: &Sampling) -> reference::Sampling {
    reference::Sampling::Chain(reference::Chain {
        seed: sampling.seed,
        temperature: sampling.temperature,
        temperature_last: sampling.order == Order::TemperatureLast,
        top_k: sampling.top_k as usize,
        typical_p: sampling.typical_p,
        top_p: sampling.top_p,
        min_p: sampling.min_p,
        penalty: sampling.penalty,
        repetition: sampling.repetition,
        presence: sampling.presence,
        frequency: sampling.frequency,
        window: sampling.window as usize,
        bias: sampling.bias.clone(),
    })
}

fn order() -> impl Strategy<Value = Order> {
    select(vec![Order::TemperatureFirst, Order::TemperatureLast])
}

/// Penalties on the last tokens: repetition, presence, frequency, window.
fn last_tokens() -> impl Strategy<Value = (f32, f32, f32, u32)> {
    let repetition = prop_oneof![1.0f32..2.0, select(vec![1.0, 0.5, 1e-45, 1e20, f32::MAX])];
    let taken = || prop_oneof![-2.0f32..2.0, select(vec![0.0, f32::MAX, f32::MIN, 1e-45])];
    (repetition, taken(), taken(), prop_oneof![0..12u32, Just(64)])
}

fn chain() -> impl Strategy<Value = Sampling> {
    let share = || prop_oneof![2 => 0.01f32..1.0, 2 => Just(1.0f32), 1 => Just(f32::MIN_POSITIVE)];
    let min_p = prop_oneof![2 => 0.0f32..0.5, 1 => select(vec![0.0, 1.0, 1e-8])];
    let bias = vec((0..1u32, prop_oneof![-8.0f32..8.0, select(vec![-100.0, f32::MAX, f32::MIN, 0.0])]), 0..3);
    (parameters(), share(), min_p, last_tokens(), bias, order()).prop_map(|(p, typical_p, min_p, last, bias, order)| {
        let (repetition, presence, frequency, window) = last;
        Sampling { typical_p, min_p, repetition, presence, frequency, window, bias, order, ..p.sampling() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_chain_draws_the_oracles_tokens((prompt, logits) in session(), chain in chain(), at in any::<prop::sample::Index>()) {
        let mut chain = chain;
        // Not only the first tokens have a bias.
        for (i, (token, _)) in chain.bias.iter_mut().enumerate() {
            *token = ((at.index(logits[0].len()) + i) % logits[0].len()) as u32;
        }
        agree_on(&prompt, &logits, &chain, &oracle(&chain))?;
    }

    /// Disabled steps change no bit: the tokens are those of the request from before the chain existed.
    #[test]
    fn a_chain_with_all_off_is_the_old_request((prompt, logits) in session(), parameters in parameters()) {
        agree_on(&prompt, &logits, &parameters.sampling(), &parameters.reference())?;
        agree_on(&prompt, &logits, &parameters.sampling(), &oracle(&parameters.sampling()))?;
    }
}

/// Each sampler alone over a vocabulary in which most logits are never ranked.
#[test]
fn each_alone_draws_the_oracles_tokens() {
    let logits: Vec<Vec<f32>> =
        (0..3).map(|row| (0..4099).map(|i| ((i * 7919 + row * 31) % 4099) as f32 * 0.004 - 8.0).collect()).collect();
    let prompt: Vec<u32> = (0..100).map(|i| i * 37 % 4099).collect();
    for seed in 0..6 {
        let base = Sampling::seeded(seed).temperature(0.8);
        let alone = [
            base.clone().min_p(0.05),
            base.clone().typical_p(0.6),
            base.clone().top_p(0.7),
            base.clone().top_p(0.7).order(Order::TemperatureLast),
            base.clone().temperature(3.0).order(Order::TemperatureLast),
            base.clone().repetition(1.3).window(30),
            base.clone().presence(1.5).frequency(0.5).window(200),
            base.clone().bias(3, 4.0).bias(4098, -100.0),
            Sampling::greedy().bias(17, 100.0),
            Sampling::greedy().repetition(1e9),
            base.clone().top_k(40).typical_p(0.9).top_p(0.95).min_p(0.02).penalty(1.1).repetition(1.1),
        ];
        for sampling in alone {
            agree_on(&prompt, &logits, &sampling, &oracle(&sampling)).unwrap();
        }
    }
}

#[test]
fn what_is_out_of_range_is_named() {
    let nan = f32::NAN;
    let of = |sampling: Sampling| sampling.check_for(64).unwrap_err().to_string();
    for (sampling, says) in [
        (Sampling::seeded(1).typical_p(0.0), "typical-p is 0"),
        (Sampling::seeded(1).min_p(-0.1), "min-p is -0.1"),
        (Sampling::seeded(1).min_p(nan), "min-p is NaN"),
        (Sampling::seeded(1).repetition(0.0), "repetition penalty of the last tokens is 0"),
        (Sampling::seeded(1).presence(nan), "presence penalty"),
        (Sampling::seeded(1).frequency(f32::INFINITY), "frequency penalty"),
        (Sampling::seeded(1).window(65_537), "at most 65536"),
        (Sampling::greedy().bias(3, nan), "bias of token 3"),
        (Sampling::greedy().bias(64, 1.0), "tokens 0 to 63"),
    ] {
        let said = of(sampling);
        assert!(said.contains(says), "{said}");
    }
    let error = Sampling::greedy().bias(64, 1.0).check_for(64);
    assert_eq!(error, Err(SamplingError::BiasToken { token: 64, vocab_size: 64 }));
}
