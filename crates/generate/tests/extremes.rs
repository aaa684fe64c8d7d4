//! The limits of the ranges: temperatures near 0, penalties that overflow, and logits that are not finite.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_generate::{Sampler, Sampling};
use bitstate_kernels::{Kernels, NotFinite, Variant};
use bitstate_reference as reference;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::{LARGEST, Parameters, agree, parameters, session, variants};

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// At 0 for any other parameters, and at any temperature that leaves the other tokens no weight.
    #[test]
    fn a_low_temperature_is_greedy((prompt, logits) in session(), parameters in parameters(), at_zero in any::<bool>()) {
        let logits = &logits[..1];
        let greedy = reference::sampling::greedy(&logits[0]);
        let largest = logits[0][greedy as usize];
        let others = (0..).zip(&logits[0]).filter(|&(token, _)| token != greedy);
        let next = others.map(|(_, &logit)| logit).fold(f32::NEG_INFINITY, f32::max);
        let gap = f64::from(largest) - f64::from(next);
        let parameters = match at_zero {
            true => Parameters { temperature: 0.0, ..parameters },
            // The least weight of an f32 is exp(-104).
            false => {
                let lowest = (gap / 110.0).min(f64::from(parameters.temperature)) as f32;
                Parameters { temperature: lowest, penalty: 1.0, ..parameters }
            }
        };
        // With two largest logits, only a temperature of 0 is greedy.
        prop_assume!(at_zero || gap / 110.0 >= f64::from(f32::from_bits(1)));
        agree(&prompt, logits, parameters)?;
        let mut sampler = Sampler::new(parameters.sampling(), logits[0].len(), Kernels::new(Variant::best()).unwrap()).unwrap();
        prompt.iter().for_each(|&token| sampler.observe(token));
        prop_assert_eq!(sampler.sample(&logits[0]), Ok(greedy), "{:?}", parameters);
    }

    #[test]
    fn logits_that_are_no_numbers_are_refused(
        (prompt, mut logits) in session(),
        parameters in parameters(),
        bad in vec((any::<prop::sample::Index>(), select(vec![f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY])), 1..3),
    ) {
        let good = logits[0].clone();
        for (at, bad) in bad {
            *at.get_mut(&mut logits[0]) = bad;
        }
        logits.push(good);
        // The same error, and afterwards the same tokens.
        agree(&prompt, &logits, parameters)?;
        let token = (0..).zip(&logits[0]).find(|(_, logit)| !logit.is_finite()).unwrap().0;
        for kernels in variants() {
            for sampling in [parameters.sampling(), Sampling::greedy()] {
                let mut sampler = Sampler::new(sampling.clone(), logits[0].len(), kernels).unwrap();
                prop_assert_eq!(sampler.sample(&logits[0]), Err(NotFinite { token }));
            }
        }
    }
}

/// The largest logit is drawn, and not the last kept one, if the scaled logits overflow.
#[test]
fn what_overflows_at_a_low_temperature_still_has_an_order() {
    let base = Parameters { seed: LARGEST, temperature: 1.0, top_k: 0, top_p: 0.9, penalty: 1.0 };
    let hot = Parameters { temperature: 0.05, penalty: 2e12, ..base };
    let infinite = Parameters { penalty: 1e20, ..base };
    let at = |temperature| Parameters { temperature, ..base };
    let check = |name: &str, prompt: &[u32], logits: &[f32], parameters: Parameters, token: u32| {
        for kernels in variants() {
            let mut sampler = Sampler::new(parameters.sampling(), logits.len(), kernels).unwrap();
            prompt.iter().for_each(|&token| sampler.observe(token));
            assert_eq!(sampler.sample(logits), Ok(token), "{:?} {name}", kernels.variant());
        }
        agree(prompt, &[logits.to_vec()], parameters).unwrap();
    };
    check("a logit infinite once it is scaled", &[], &[40.0, 3e38, 1.0], at(0.5), 1);
    for temperature in [1e-45, 1e-40, 2.9e-39, 3e-39, 1e-38, 3e-38, 1e-37, 1e-30] {
        check("numbers of either sign", &[], &[-3.0, 12.5, 12.25, 0.0], at(temperature), 1);
        check("none above 0", &[], &[-3.0, -12.5, -12.25, -2.0], at(temperature), 3);
        check("0 is the largest", &[], &[-3.0, 0.0, -12.25, -2.0], at(temperature), 1);
        // The random number is the largest below 1: the last of the equal logits.
        check("two are largest", &[], &[-3.0, 2.0, -12.25, 2.0, 1.0], at(temperature), 3);
    }
    // Seen three times, the largest becomes 250; the next one overflows at this temperature.
    check("another than the largest overflows", &[0, 0, 0], &[1e38, 9e37, 1.0], hot, 1);
    check("0 times a penalty that overflows", &[1, 1], &[-40.0, 0.0, -30.0], infinite, 1);
    check("all are penalised out of range", &[0, 1, 0, 1], &[-40.0, -1.0], infinite, 1);
}

/// With the same random numbers, a lower temperature draws the most probable token more often.
#[test]
fn a_lower_temperature_is_ever_more_like_greedy() {
    let logits = [0.5, 2.0, 1.0, -1.0, 1.75];
    let temperatures: Vec<f32> = (0..).map(|i| 4.0 * 0.5f32.powi(i)).take_while(|&t| t > 0.0).chain([0.0]).collect();
    for kernels in variants() {
        let likeliest = |&temperature: &f32| {
            let draw = |seed| {
                let sampling = Sampling { seed, temperature, top_k: 0, top_p: 1.0, penalty: 1.0, ..Sampling::greedy() };
                Sampler::new(sampling, logits.len(), kernels).unwrap().sample(&logits)
            };
            (0..300).filter(|&seed| draw(seed) == Ok(1)).count()
        };
        let counts: Vec<usize> = temperatures.iter().map(likeliest).collect();
        assert!(counts.is_sorted(), "{:?}: {counts:?}", kernels.variant());
        assert!(counts[0] < 150 && counts.last() == Some(&300), "{counts:?}");
    }
}
