//! The sampler compared with the oracle's, for any logits; its parameters; the greedy choice.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_generate::{Sampler, Sampling, SamplingError, SplitMix64};
use bitstate_kernels::{Kernels, Variant};
use bitstate_reference as reference;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::{HALF, LARGEST, Parameters, ZERO, agree, logit, parameters, session, variants};

/// The distribution of a vocabulary's logits.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Normal,
    /// Normal, with three far above.
    Peaky,
    Equal,
    Ascending,
    Descending,
    /// Only eight distinct values.
    Few,
    /// Any bits of a finite number.
    Arbitrary,
    Nan,
    /// Numbers, every seventh a NaN.
    SomeNan,
    Subnormal,
    /// Infinities of both signs among numbers.
    Infinite,
    /// The large ones where they are least sampled: in the later rows of 112.
    Hidden,
}

impl Shape {
    const ALL: [Shape; 12] = [
        Shape::Normal,
        Shape::Peaky,
        Shape::Equal,
        Shape::Ascending,
        Shape::Descending,
        Shape::Few,
        Shape::Arbitrary,
        Shape::Nan,
        Shape::SomeNan,
        Shape::Subnormal,
        Shape::Infinite,
        Shape::Hidden,
    ];

    fn logits(self, n: usize, rng: &mut SplitMix64) -> Vec<f32> {
        let mut logits: Vec<f32> = (0..n).map(|i| self.logit(i, rng)).collect();
        if matches!(self, Shape::Peaky) {
            (0..3).for_each(|i| logits[rng.next_u64() as usize % n] = 30.0 + i as f32);
        }
        logits
    }

    fn logit(self, i: usize, rng: &mut SplitMix64) -> f32 {
        let normal = 2.0 * ((0..12).map(|_| rng.next_f32()).sum::<f32>() - 6.0);
        let bits = rng.next_u64() as u32;
        match self {
            Shape::Normal | Shape::Peaky => normal,
            Shape::Equal => 1.5,
            Shape::Ascending => i as f32 * 0.001,
            Shape::Descending => i as f32 * -0.001,
            Shape::Few => (bits % 8) as f32 - 4.0,
            Shape::Arbitrary => Some(f32::from_bits(bits)).filter(|logit| logit.is_finite()).unwrap_or(normal),
            Shape::Nan => f32::NAN,
            Shape::SomeNan => {
                if i % 7 == 3 {
                    f32::NAN
                } else {
                    normal
                }
            }
            Shape::Subnormal => f32::from_bits(bits & 0x8000_00ff),
            Shape::Infinite => [f32::INFINITY, f32::NEG_INFINITY, normal, normal][bits as usize % 4],
            Shape::Hidden => {
                if (i / 112).is_multiple_of(4) {
                    normal
                } else {
                    normal + 20.0
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_draw_is_the_oracles((prompt, logits) in session(), parameters in parameters()) {
        agree(&prompt, &logits, parameters)?;
    }

    #[test]
    fn greedy_is_the_oracles(logits in vec(logit(), 1..100)) {
        let expected = reference::sampling::greedy(&logits);
        for kernels in variants() {
            let mut sampler = Sampler::new(Sampling::greedy(), logits.len(), kernels).unwrap();
            for _ in 0..3 {
                // No penalty, however often the token was chosen.
                prop_assert_eq!(sampler.sample(&logits), Ok(expected), "{:?}", kernels.variant());
            }
        }
    }
}

proptest! {
    // Fewer cases: the largest vocabularies take long.
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Vocabularies so large that most logits are never ranked.
    #[test]
    fn every_draw_from_many_is_the_oracles(
        shape in select(&Shape::ALL[..]),
        vocab_size in select(vec![255, 256, 257, 1000, 4099, 32_011]),
        parameters in parameters(),
        top_k in prop_oneof![Just(0u32), select(vec![1, 2, 49, 50, 51, 254, 255, 256, 257, 1000, 32_010])],
        seen in select(vec![0, 100, 2000]),
    ) {
        let parameters = Parameters { top_k, ..parameters };
        let mut rng = SplitMix64::new(parameters.seed);
        let logits: Vec<Vec<f32>> = (0..3).map(|_| shape.logits(vocab_size, &mut rng)).collect();
        // Half of the seen tokens are among the most probable.
        let mut likely: Vec<u32> = (0..vocab_size as u32).collect();
        likely.sort_by(|&a, &b| logits[0][b as usize].total_cmp(&logits[0][a as usize]));
        let prompt: Vec<u32> = (0..seen)
            .map(|i| if i % 2 == 0 { likely[i / 6 % vocab_size] } else { rng.next_u64() as u32 % vocab_size as u32 })
            .collect();
        agree(&prompt, &logits, parameters)?;
    }
}

#[test]
fn argmax_takes_the_lowest_id_at_every_place() {
    // On both sides of the block sizes: 16, 64, 1024.
    for n in [1usize, 2, 15, 16, 17, 33, 63, 64, 65, 1023, 1024, 1025, 2100] {
        let step = if n < 100 { 1 } else { 97 };
        for first in (0..n).step_by(step).chain([n - 1]) {
            for second in (first..n).step_by(step).chain([n - 1]) {
                let mut logits = vec![-1.0f32; n];
                (logits[first], logits[second]) = (2.5, 2.5);
                for kernels in variants() {
                    assert_eq!(kernels.argmax(&logits), first as u32, "{:?} {n}: {first}, {second}", kernels.variant());
                }
            }
        }
    }
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let cases: [(&[f32], u32); 7] = [
        (&[], 0),
        (&[nan, nan], 0),
        (&[nan, -inf], 1),
        (&[-nan, 1.0, nan], 1),
        (&[-0.0, 0.0], 0),
        (&[-inf, -inf], 0),
        (&[1.0, inf, inf], 1),
    ];
    for (logits, token) in cases {
        for kernels in variants() {
            assert_eq!(kernels.argmax(logits), token, "{:?} {logits:?}", kernels.variant());
        }
    }
}

#[test]
fn parameters_out_of_range_are_refused() {
    let good = Parameters { seed: 1, temperature: 0.8, top_k: 50, top_p: 0.9, penalty: 1.1 };
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let temperatures =
        [-f32::from_bits(1), -1.0, inf, -inf, nan].map(|t| (Parameters { temperature: t, ..good }, "temperature"));
    let top_ps = [0.0, -0.1, 1.0f32.next_up(), inf, nan].map(|p| (Parameters { top_p: p, ..good }, "top-p"));
    let penalties = [0.0, 1.0f32.next_down(), -1.0, inf, nan].map(|p| (Parameters { penalty: p, ..good }, "penalty"));
    let kernels = Kernels::new(Variant::Generic).unwrap();
    for (parameters, name) in temperatures.into_iter().chain(top_ps).chain(penalties) {
        let Err(error) = Sampler::new(parameters.sampling(), 64, kernels) else { panic!("{parameters:?}") };
        let expected = match error {
            SamplingError::Temperature(_) => "temperature",
            SamplingError::TopP(_) => "top-p",
            SamplingError::Penalty(_) => "penalty",
            other => panic!("{other}"),
        };
        assert_eq!(name, expected, "{parameters:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(Sampler::new(good.sampling(), 64, kernels).is_ok());
    let zero = Parameters { temperature: 0.0, ..good };
    assert!(Sampler::new(zero.sampling(), 64, kernels).unwrap().sampling().is_plain_greedy());
    let both = Parameters { top_p: 2.0, ..zero };
    assert_eq!(Sampler::new(both.sampling(), 64, kernels).err(), Some(SamplingError::TopP(2.0)));
}

/// Equal logits, so that the running sums are 1, 2, 3, 4.
#[test]
fn edges_belong_to_the_next_token_and_the_nucleus_is_closed() {
    let cases = [
        // The drawn token: the first whose sum is above u · 4.
        (ZERO, 1.0, [0.0; 4], 0),
        (HALF, 1.0, [0.0; 4], 2),
        (LARGEST, 1.0, [0.0; 4], 3),
        // The nucleus: half of the probability is two of four, and one bit more is three.
        (LARGEST, 0.5, [0.0; 4], 1),
        (LARGEST, 0.5f32.next_up(), [0.0; 4], 2),
        (HALF, 0.5, [0.0; 4], 1),
        // A token without weight is never drawn, at any position.
        (LARGEST, 1.0, [f32::MIN, 0.0, 0.0, f32::MIN], 2),
        (ZERO, 1.0, [f32::MIN, 0.0, 0.0, f32::MIN], 1),
    ];
    for kernels in variants() {
        for (seed, top_p, logits, token) in cases {
            let sampling = Sampling { seed, temperature: 1.0, top_k: 0, top_p, penalty: 1.0, ..Sampling::greedy() };
            let mut sampler = Sampler::new(sampling, 4, kernels).unwrap();
            assert_eq!(sampler.sample(&logits), Ok(token), "{seed:x} {top_p} {logits:?}");
        }
    }
}

/// A logit 16.5 below the largest still changes the sums by a unit in the last place; one 17 below does not.
#[test]
fn what_changes_the_sums_counts() {
    let parameters = Parameters { seed: LARGEST, temperature: 1.0, top_k: 0, top_p: 1.0, penalty: 1.0 };
    for (below, token) in [(16.5, 3999), (17.0, 0)] {
        let mut logits = vec![3.0 - below; 4000];
        logits[0] = 3.0;
        for kernels in variants() {
            let mut sampler = Sampler::new(parameters.sampling(), logits.len(), kernels).unwrap();
            assert_eq!(sampler.sample(&logits), Ok(token), "{:?} {below}", kernels.variant());
        }
        agree(&[], &[logits], parameters).unwrap();
    }
}

/// The published first values of SplitMix64 from the seed 1234567.
#[test]
fn the_generator_is_splitmix64() {
    let mut rng = SplitMix64::new(1_234_567);
    let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
    assert_eq!(expected.map(|_| rng.next_u64()), expected);
    let first = [ZERO, HALF, LARGEST].map(|seed| SplitMix64::new(seed).next_f32());
    assert_eq!(first, [0.0, 0.5, 1.0f32.next_down()]);
    let mut rng = SplitMix64::new(0);
    for _ in 0..1000 {
        assert!((0.0..1.0).contains(&rng.next_f32()));
    }
}
