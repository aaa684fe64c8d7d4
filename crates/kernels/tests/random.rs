//! Every variant against `generic` and the oracle on random shapes and arbitrary bits.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use support::call::Call;
use support::memory::Place;
use support::variants;

/// Any bits at all, or values of the size that models have.
fn float() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![
        4 => -8.0f32..8.0,
        2 => any::<u32>().prop_map(f32::from_bits),
        1 => select(vec![0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 127.5, -127.5]),
    ]
}

/// `N` vectors of one length.
fn floats<const N: usize>(lengths: std::ops::Range<usize>) -> impl Strategy<Value = [Vec<f32>; N]> {
    let one = |n: usize| vec(float(), n);
    lengths.prop_flat_map(move |n| std::array::from_fn::<_, N, _>(|_| one(n)))
}

fn vector_call() -> impl Strategy<Value = Call> {
    (0..11, floats::<3>(1..200)).prop_map(|(kernel, [a, b, c])| match kernel {
        0 => Call::Exp { x: a.iter().map(|x| x * 16.0).collect() },
        1 => Call::LayerNorm { x: a, weight: b, bias: c },
        2 => Call::Mix { z: a, p: b, mu: c },
        3 => Call::QuantiseInt8 { y: a },
        4 => Call::Quantise15Bit { z: a },
        5 => Call::SiluGate { o: a, g: b },
        6 => Call::SigmoidGateAdd { x: a, r: b, v: c },
        7 => Call::ReluSquared { k: a },
        8 => Call::StridedMaxima { step: 1 + a.len() % 3, groups: 1 + a.len() % 41, x: a, scale: b[0] },
        9 => Call::NotBelow { x: a, scale: b[0], floor: c[0] },
        _ => Call::Add { x: a, y: b },
    })
}

fn wkv_call() -> impl Strategy<Value = Call> {
    (1..40usize).prop_flat_map(|s| {
        (floats::<5>(s..s + 1), vec(float(), s * s)).prop_map(|([r, k, v, decay, bonus], state)| Call::Wkv {
            r,
            k,
            v,
            decay,
            bonus,
            state,
        })
    })
}

fn ternary_call() -> impl Strategy<Value = Call> {
    (1..70usize, 1..600usize).prop_flat_map(|(rows, cols)| {
        (vec(-1..=1i8, rows * cols), any::<bool>(), vec(any::<i8>(), cols), [float(), float()])
            .prop_map(|(weights, packed, q, scales)| Call::Ternary { weights, packed, q, scales })
    })
}

fn head_call() -> impl Strategy<Value = Call> {
    (1..12usize, 1..200usize).prop_flat_map(|(v, d)| {
        let int8 = (vec(any::<i8>(), v * d), vec(float(), v), vec(-16_383..=16_383i16, d), float())
            .prop_map(|(rows, row_scales, q, scale)| Call::HeadInt8 { rows, row_scales, q, scale });
        let float = (vec(float(), v * d), vec(float(), d)).prop_map(|(rows, z)| Call::HeadF32 { rows, z });
        prop_oneof![int8, float]
    })
}

fn head_many_call() -> impl Strategy<Value = Call> {
    (1..70usize, 1..150usize, 1..19usize).prop_flat_map(|(v, d, sessions)| {
        (vec(any::<i8>(), v * d), vec(float(), v), vec(-16_383..=16_383i16, sessions * d), vec(float(), sessions))
            .prop_map(|(rows, row_scales, q, scales)| Call::HeadMany { rows, row_scales, q, scales })
    })
}

/// `cases` calls of each family through every variant.
fn check(cases: u32) {
    let families = [
        vector_call().boxed(),
        wkv_call().boxed(),
        ternary_call().boxed(),
        head_call().boxed(),
        head_many_call().boxed(),
    ];
    let variants = variants();
    for family in families {
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let run = TestRunner::new(config).run(&(family, 0..64usize), |(call, offset)| {
            let expected = call.canonical();
            for kernels in &variants {
                let found = call.run(*kernels, Place::Offset(offset));
                prop_assert_eq!(found, expected.clone(), "{:?} {}", kernels.variant(), call.name());
            }
            Ok(())
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn every_variant_agrees_on_random_calls() {
    check(96);
}

#[test]
#[ignore = "minutes of random calls: run it with --release --ignored"]
fn every_variant_agrees_on_many_random_calls() {
    check(100_000);
}
