//! The sampler against the oracle's, whatever the logits; its parameters; the greedy choice.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../kernels/tests/support/variants.rs"]
mod variants;

use bitstate_generate::{Sampler, Sampling, SamplingError, SplitMix64};
use bitstate_kernels::{Kernels, Variant};
use bitstate_reference as reference;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use variants::variants;

/// Logits with many ties, and with what is no number.
fn logit() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -12.0f32..12.0,
        3 => (-4..4i8).prop_map(f32::from),
        1 => any::<u32>().prop_map(f32::from_bits),
        1 => select(vec![0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN, f32::MAX, f32::MIN]),
    ]
}

/// All that a sampler can be asked for.
#[derive(Debug, Clone, Copy)]
struct Parameters {
    seed: u64,
    temperature: f32,
    top_k: u32,
    top_p: f32,
    penalty: f32,
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let temperature = prop_oneof![3 => 0.05f32..4.0, 1 => select(vec![1.0, 1e-45, f32::MIN_POSITIVE, 1e-3, f32::MAX])];
    let top_k = prop_oneof![3 => 0..40u32, 1 => select(vec![0, 1, u32::MAX])];
    let top_p = prop_oneof![3 => 0.01f32..1.0, 1 => select(vec![1.0, f32::MIN_POSITIVE, 1.0f32.next_down()])];
    let penalty = prop_oneof![3 => 1.0f32..2.0, 1 => select(vec![1.0, 1.1, 1e20, f32::MAX])];
    // The first number at the edges of its range draws from the edges of the order.
    let seed = prop_oneof![3 => any::<u64>(), 1 => select(vec![ZERO, HALF, LARGEST])];
    (seed, temperature, top_k, top_p, penalty).prop_map(|(seed, temperature, top_k, top_p, penalty)| Parameters {
        seed,
        temperature,
        top_k,
        top_p,
        penalty,
    })
}

impl Parameters {
    fn sampling(self) -> Sampling {
        let Parameters { seed, temperature, top_k, top_p, penalty } = self;
        Sampling::Seeded { seed, temperature, top_k, top_p, penalty }
    }

    fn reference(self) -> reference::Sampling {
        let Parameters { seed, temperature, top_k, top_p, penalty } = self;
        reference::Sampling::Seeded { seed, temperature, top_k: top_k as usize, top_p, penalty }
    }
}

/// A prompt and the logits of some tokens, all for one vocabulary.
fn session() -> impl Strategy<Value = (Vec<u32>, Vec<Vec<f32>>)> {
    (1..70usize).prop_flat_map(|v| (vec(0..v as u32, 0..12), vec(vec(logit(), v), 1..6)))
}

/// Every variant draws the oracle's tokens.
fn agree(prompt: &[u32], logits: &[Vec<f32>], parameters: Parameters) -> Result<(), TestCaseError> {
    let vocab_size = logits[0].len();
    let mut oracle = reference::Sampler::new(&parameters.reference(), vocab_size);
    prompt.iter().for_each(|&token| oracle.observe(token));
    let mut expect = |logits: &Vec<f32>| {
        let token = oracle.sample(logits);
        oracle.observe(token);
        token
    };
    let expected: Vec<u32> = logits.iter().map(&mut expect).collect();
    for kernels in variants() {
        let mut sampler = Sampler::new(parameters.sampling(), vocab_size, kernels).unwrap();
        prompt.iter().for_each(|&token| sampler.observe(token));
        let found: Vec<u32> = logits.iter().map(|logits| sampler.sample(logits)).collect();
        prop_assert_eq!(&found, &expected, "{:?}", kernels.variant());
    }
    Ok(())
}

/// What the logits of a whole vocabulary are like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Normal,
    /// Normal, and three far above.
    Peaky,
    Equal,
    Ascending,
    Descending,
    /// Of eight values.
    Few,
    /// Any bits.
    Arbitrary,
    Nan,
    /// Numbers, every seventh a NaN.
    SomeNan,
    Subnormal,
    /// Infinities of both signs among numbers.
    Infinite,
    /// The large ones where the fewest look: in the later rows of 112.
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
            Shape::Arbitrary => f32::from_bits(bits),
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
            let mut sampler = Sampler::new(Sampling::Greedy, logits.len(), kernels).unwrap();
            for _ in 0..3 {
                // No penalty, however often the token was chosen.
                prop_assert_eq!(sampler.sample(&logits), expected, "{:?}", kernels.variant());
            }
        }
    }
}

proptest! {
    // Fewer: the largest take long.
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of vocabularies so large that most logits are never ranked.
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
        // Half of what was seen is among the likeliest.
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
    // On both sides of the values that are looked at together: 16, 64, 1024.
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
        [0.0, -0.0, -1.0, inf, -inf, nan].map(|t| (Parameters { temperature: t, ..good }, "temperature"));
    let top_ps = [0.0, -0.1, 1.0f32.next_up(), inf, nan].map(|p| (Parameters { top_p: p, ..good }, "top-p"));
    let penalties = [0.0, 1.0f32.next_down(), -1.0, inf, nan].map(|p| (Parameters { penalty: p, ..good }, "penalty"));
    let kernels = Kernels::new(Variant::Generic).unwrap();
    for (parameters, name) in temperatures.into_iter().chain(top_ps).chain(penalties) {
        let Err(error) = Sampler::new(parameters.sampling(), 64, kernels) else { panic!("{parameters:?}") };
        let expected = match error {
            SamplingError::Temperature(_) => "temperature",
            SamplingError::TopP(_) => "top-p",
            SamplingError::Penalty(_) => "penalty",
        };
        assert_eq!(name, expected, "{parameters:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(Sampler::new(good.sampling(), 64, kernels).is_ok());
}

/// Seeds whose first number is 0, exactly one half, and the largest below 1: SplitMix64 run backwards.
const ZERO: u64 = 0x61c8_8646_80b5_83eb;
const HALF: u64 = 0x2fed_f1ef_ce1d_5545;
const LARGEST: u64 = 0x1161_223a_2713_2434;

/// Of equal logits, so that the running sums are 1, 2, 3, 4.
#[test]
fn edges_belong_to_the_next_token_and_the_nucleus_is_closed() {
    let cases = [
        // The draw: the first whose sum is above u · 4.
        (ZERO, 1.0, [0.0; 4], 0),
        (HALF, 1.0, [0.0; 4], 2),
        (LARGEST, 1.0, [0.0; 4], 3),
        // The nucleus: half of the probability is two of four, and one bit more is three.
        (LARGEST, 0.5, [0.0; 4], 1),
        (LARGEST, 0.5f32.next_up(), [0.0; 4], 2),
        (HALF, 0.5, [0.0; 4], 1),
        // What has no weight is never drawn, wherever it stands.
        (LARGEST, 1.0, [f32::NEG_INFINITY, 0.0, 0.0, f32::NEG_INFINITY], 2),
        (ZERO, 1.0, [f32::NEG_INFINITY, 0.0, 0.0, f32::NEG_INFINITY], 1),
    ];
    for kernels in variants() {
        for (seed, top_p, logits, token) in cases {
            let sampling = Sampling::Seeded { seed, temperature: 1.0, top_k: 0, top_p, penalty: 1.0 };
            let mut sampler = Sampler::new(sampling, 4, kernels).unwrap();
            assert_eq!(sampler.sample(&logits), token, "{seed:x} {top_p} {logits:?}");
        }
    }
}

/// A logit 16.5 below the largest still moves the sums by a unit of their last place; one 17 below does no longer.
#[test]
fn what_moves_the_sums_counts() {
    let parameters = Parameters { seed: LARGEST, temperature: 1.0, top_k: 0, top_p: 1.0, penalty: 1.0 };
    for (below, token) in [(16.5, 3999), (17.0, 0)] {
        let mut logits = vec![3.0 - below; 4000];
        logits[0] = 3.0;
        for kernels in variants() {
            let mut sampler = Sampler::new(parameters.sampling(), logits.len(), kernels).unwrap();
            assert_eq!(sampler.sample(&logits), token, "{:?} {below}", kernels.variant());
        }
        agree(&[], &[logits], parameters).unwrap();
    }
}

/// Where the sums are NaN, the last in order is drawn, however little it weighs.
#[test]
fn the_last_is_drawn_where_the_sums_are_no_numbers() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let base = Parameters { seed: 5, temperature: 1.0, top_k: 0, top_p: 0.9, penalty: 1.0 };
    let hot = Parameters { temperature: 0.05, penalty: 2e12, ..base };
    let infinite = Parameters { penalty: 1e20, ..base };
    let check = |name: &str, prompt: &[u32], logits: &[f32], parameters: Parameters, token: u32| {
        for kernels in variants() {
            let mut sampler = Sampler::new(parameters.sampling(), logits.len(), kernels).unwrap();
            prompt.iter().for_each(|&token| sampler.observe(token));
            assert_eq!(sampler.sample(logits), token, "{:?} {name}", kernels.variant());
        }
        agree(prompt, &[logits.to_vec()], parameters).unwrap();
    };
    check("a NaN", &[], &[40.0, nan, 1.0, nan, 2.0], base, 3);
    check("an infinite logit", &[], &[40.0, inf, 1.0, 2.0], base, 2);
    check("a logit infinite once it is scaled", &[], &[3e38, 40.0, 1.0], Parameters { temperature: 0.5, ..base }, 2);
    // Three times seen, the largest is 250; the next is infinite.
    check("another than the largest is infinite", &[0, 0, 0], &[1e38, 9e37, 1.0], hot, 2);
    check("0 times an infinite penalty", &[1, 1], &[40.0, 0.0, 30.0], infinite, 1);
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
