//! Models, states and logits.

use crate::models::config;
use crate::{Inputs, session, state};
use bitstate_model::{Version, synthetic};
use std::path::Path;

/// Name; shape, version and seed; then changes, each with a position and a value.
type Recipe = (&'static str, [u8; 7], &'static [(u16, u16, f32)]);

/// Small files of each version: in those of `golden/`, about 100 kB each, a mutation rarely hits the header.
///
/// # Errors
/// None: nothing is read.
pub fn bits(_: &Path) -> anyhow::Result<Inputs> {
    let mut inputs = Inputs::new();
    for version in Version::ALL {
        for (name, shape) in [("least", [1, 1, 1, 1, 1]), ("small", [9, 2, 2, 3, 2]), ("block", [33, 1, 1, 16, 4])] {
            let file = synthetic(&config(shape), 1, version);
            inputs.push((format!("{name}-{version}"), file));
        }
    }
    let recipes: [Recipe; 5] = [
        ("recipe", [63, 1, 1, 31, 1, 2, 1], &[]),
        ("recipe-one-weight", [10, 0, 1, 10, 1, 0, 2], &[(2, 3, f32::MAX)]),
        ("recipe-tensors", [79, 1, 0, 32, 1, 1, 3], &[(3, 0, 3e38), (9, 0, -1e-40), (41, 0, 88.8)]),
        ("recipe-norm", [40, 1, 1, 16, 1, 2, 4], &[(5, 0, 0.0), (7, 0, -0.0), (60, 2, 1e30), (30, 1, -1e30)]),
        ("recipe-decay", [36, 0, 1, 15, 0, 2, 5], &[(51, 0, 200.0), (53, 0, -200.0), (55, 0, 1e10)]),
    ];
    for (name, head, changes) in recipes {
        let mut bytes = head.to_vec();
        for (part, at, value) in changes {
            bytes.extend(part.to_le_bytes().into_iter().chain(at.to_le_bytes()).chain(value.to_le_bytes()));
        }
        inputs.push((name.into(), bytes));
    }
    Ok(inputs)
}

/// Initial states, states some tokens into a text, and values that no text produces.
///
/// # Errors
/// None: nothing is read.
pub fn state(_: &Path) -> anyhow::Result<Inputs> {
    let kinds = [("as-it-is", state::AS_IT_IS), ("digest-made", state::DIGEST_MADE), ("values", state::VALUES)];
    let saved = state::saved(&[3, 1, 4, 1, 5]);
    let mut inputs: Inputs =
        kinds.iter().map(|(name, kind)| (name.to_string(), [&[*kind], saved.as_slice()].concat())).collect();
    let values: [(&str, &[f32]); 4] = [
        ("numbers", &[0.5, -2.0, 1e-3]),
        ("huge", &[3e38, -3e38, 1.0]),
        ("none", &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0]),
        ("tiny", &[1e-45, -1e-40, 0.0, -0.0, 1e-20]),
    ];
    for (name, values) in values {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        inputs.push((name.into(), std::iter::once(state::VALUES).chain(bytes).collect()));
    }
    Ok(inputs)
}

/// Sessions at the start and in the middle of a character, with a sampler that uses all of its state, and one of another model.
///
/// # Errors
/// None: nothing is read.
pub fn session(_: &Path) -> anyhow::Result<Inputs> {
    let plain = bitstate::Sampling::seeded(1).temperature(2.0);
    let all = plain.clone().penalty(1.1).repetition(1.2).window(8).bias(7, -1.5).top_k(50);
    let mut inputs = Inputs::new();
    for (name, sampling) in [("plain", plain), ("all", all)] {
        for (at, tokens) in [("start", 0), ("on", 5)] {
            let file = session::saved(sampling.clone(), tokens);
            let kinds = [("as-it-is", session::AS_IT_IS), ("checksum-made", session::CHECKSUM_MADE)];
            let input = |(kind, byte)| (format!("{name}-{at}-{kind}"), [&[byte], file.as_slice()].concat());
            inputs.extend(kinds.map(input));
        }
    }
    let newer = b"s{\"bitstate_session\":2,\"model\":\"\"}\n";
    inputs.push(("newer".into(), newer.to_vec()));
    Ok(inputs)
}

/// Parameters at their limits, with finite and non-finite logits.
///
/// # Errors
/// None: nothing is read.
pub fn sampler(_: &Path) -> anyhow::Result<Inputs> {
    let parameters: [(u64, [f32; 3], u16); 7] = [
        (0, [1.0, 1.0, 1.0], 0),
        (6, [0.0, 1.0, 1.0], 0),
        (42, [0.8, 0.9, 1.1], 50),
        (7, [1.0, 1.0, 1.0], 0),
        (8, [1e-38, 0.5, 1.5], 3),
        (9, [100.0, 1e-9, 3e38], 1),
        (10, [-1.0, 2.0, 0.5], 2),
    ];
    let logits: [&[f32]; 5] = [
        &[1.0, 3.0, 3.0, -2.0, 0.0, -0.0, 0.5],
        &[f32::NAN, 1.0, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN],
        &[f32::NAN; 3],
        &[3e38, -3e38, 1e-45, -1e-45],
        &[0.25; 33],
    ];
    let mut inputs = Inputs::new();
    for (i, (seed, [temperature, top_p, penalty], top_k)) in parameters.into_iter().enumerate() {
        for (j, logits) in logits.iter().enumerate() {
            let mut bytes = seed.to_le_bytes().to_vec();
            bytes.extend([temperature, top_p, penalty].iter().flat_map(|value| value.to_le_bytes()));
            bytes.extend(top_k.to_le_bytes());
            bytes.extend([5, [0, 40][j % 2]]);
            bytes.extend(logits.iter().flat_map(|value| value.to_le_bytes()));
            inputs.push((format!("{i}-{j}"), bytes));
        }
    }
    Ok(inputs)
}
