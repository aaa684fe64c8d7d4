//! Sampling parameters, and the oracle that every result is compared with.
#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "../../../kernels/tests/support/variants.rs"]
mod kernels;

use bitstate_generate::{Sampler, Sampling};
use bitstate_kernels::NotFinite;
use bitstate_reference as reference;
pub use kernels::variants;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Seeds whose first number is 0, exactly one half, and the largest below 1: SplitMix64 run backwards.
pub const ZERO: u64 = 0x61c8_8646_80b5_83eb;
pub const HALF: u64 = 0x2fed_f1ef_ce1d_5545;
pub const LARGEST: u64 = 0x1161_223a_2713_2434;

/// Logits of any size, with many ties.
pub fn logit() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -12.0f32..12.0,
        3 => (-4..4i8).prop_map(f32::from),
        1 => any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |logit| logit.is_finite()),
        1 => select(vec![0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::from_bits(1)]),
    ]
}

/// Temperatures over their whole range.
pub fn temperature() -> impl Strategy<Value = f32> {
    // Inverses overflow below 2^-128, which is 2.9e-39.
    let edges = vec![0.0, 1e-45, 2.9e-39, 3e-39, f32::MIN_POSITIVE, 3e-38, 1e-37, 1e-3, 1.0, f32::MAX];
    prop_oneof![3 => 0.05f32..4.0, 3 => (-149.0f32..128.0).prop_map(f32::exp2), 2 => select(edges)]
}

/// All sampling parameters.
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    pub seed: u64,
    pub temperature: f32,
    pub top_k: u32,
    pub top_p: f32,
    pub penalty: f32,
}

pub fn parameters() -> impl Strategy<Value = Parameters> {
    let top_k = prop_oneof![3 => 0..40u32, 1 => select(vec![0, 1, u32::MAX])];
    let top_p = prop_oneof![3 => 0.01f32..1.0, 1 => select(vec![1.0, f32::MIN_POSITIVE, 1.0f32.next_down()])];
    let penalty = prop_oneof![3 => 1.0f32..2.0, 1 => select(vec![1.0, 1.1, 1e20, f32::MAX])];
    // The first number at the edges of its range draws from the edges of the order.
    let seed = prop_oneof![3 => any::<u64>(), 1 => select(vec![ZERO, HALF, LARGEST])];
    (seed, temperature(), top_k, top_p, penalty).prop_map(|(seed, temperature, top_k, top_p, penalty)| Parameters {
        seed,
        temperature,
        top_k,
        top_p,
        penalty,
    })
}

impl Parameters {
    pub fn sampling(self) -> Sampling {
        let Parameters { seed, temperature, top_k, top_p, penalty } = self;
        Sampling { seed, temperature, top_k, top_p, penalty, ..Sampling::greedy() }
    }

    pub fn reference(self) -> reference::Sampling {
        let Parameters { seed, temperature, top_k, top_p, penalty } = self;
        reference::Sampling::Seeded { seed, temperature, top_k: top_k as usize, top_p, penalty }
    }
}

/// A prompt and the logits of some tokens, all for one vocabulary.
pub fn session() -> impl Strategy<Value = (Vec<u32>, Vec<Vec<f32>>)> {
    (1..70usize).prop_flat_map(|v| (vec(0..v as u32, 0..12), vec(vec(logit(), v), 1..6)))
}

/// Every variant draws the oracle's tokens.
pub fn agree(prompt: &[u32], logits: &[Vec<f32>], parameters: Parameters) -> Result<(), TestCaseError> {
    agree_on(prompt, logits, &parameters.sampling(), &parameters.reference())
}

/// Every variant draws the oracle's tokens with `sampling`; `asked` is the oracle's equivalent.
pub fn agree_on(
    prompt: &[u32],
    logits: &[Vec<f32>],
    sampling: &Sampling,
    asked: &reference::Sampling,
) -> Result<(), TestCaseError> {
    let vocab_size = logits[0].len();
    let mut oracle = reference::Sampler::new(asked, vocab_size);
    prompt.iter().for_each(|&token| oracle.observe(token));
    let mut expect = |logits: &Vec<f32>| {
        let token = oracle.sample(logits).map_err(|refused| NotFinite { token: refused.token })?;
        oracle.observe(token);
        Ok(token)
    };
    let expected: Vec<Result<u32, NotFinite>> = logits.iter().map(&mut expect).collect();
    for kernels in variants() {
        let mut sampler = Sampler::new(sampling.clone(), vocab_size, kernels).unwrap();
        prompt.iter().for_each(|&token| sampler.observe(token));
        let found: Vec<_> = logits.iter().map(|logits| sampler.sample(logits)).collect();
        prop_assert_eq!(&found, &expected, "{:?}", kernels.variant());
    }
    Ok(())
}
