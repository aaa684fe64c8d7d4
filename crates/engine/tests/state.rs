//! A session's state: cloned, saved, restored, and never restored wrongly.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_engine::RestoreError;
use bitstate_kernels::Variant;
use bitstate_model::{Model, Version};
use support::{Run, SHAPES, file, tokens, variants};

/// The logits are available again without another token: after a checkpoint, and after the residual is restored, in
/// every variant.
#[test]
fn a_residual_gives_the_logits_back() {
    let file = file(SHAPES[0], Version::V1_2);
    let model = Model::parse(&file).unwrap();
    let tokens = tokens(SHAPES[0][0], 12);
    for variant in variants() {
        let mut run = Run::new(&model, variant);
        let expected = run.feed(&tokens).pop().unwrap();
        let (saved, residual) = (run.state.to_bytes(), run.state.residual().unwrap().to_vec());
        let checkpoint = run.state.checkpoint();
        for other in variants() {
            let mut run = Run::new(&model, other);
            run.state = run.engine.restore_state(&saved).unwrap();
            assert_eq!(run.state.residual(), None);
            let short = run.state.set_residual(&residual[1..]);
            assert!(matches!(short, Err(RestoreError::Residual { .. })), "{short:?}");
            run.state.set_residual(&residual).unwrap();
            let mut logits = vec![0.0; model.config.vocab_size];
            run.engine.logits(&mut run.state, &mut logits).unwrap();
            assert_eq!(support::bits(&logits), expected, "{variant:?} to {other:?}");
            run.feed(&[1, 2]);
            assert!(run.state.return_to(&checkpoint));
            run.engine.logits(&mut run.state, &mut logits).unwrap();
            assert_eq!(support::bits(&logits), expected, "{variant:?} to {other:?}");
            assert_eq!(run.state.to_bytes(), saved);
        }
    }
    let other = support::file(SHAPES[1], Version::V1_2);
    let other = Model::parse(&other).unwrap();
    let mut run = Run::new(&other, Variant::Generic);
    assert!(!run.state.return_to(&Run::new(&model, Variant::Generic).state.checkpoint()));
}

/// Half of the tokens, then the other half in a clone, in the first again, and in a restored state in every variant.
#[test]
fn a_state_continues_bit_for_bit() {
    for (shape, version) in SHAPES.into_iter().zip(Version::ALL.into_iter().cycle()) {
        let file = file(shape, version);
        let model = Model::parse(&file).unwrap();
        let tokens = tokens(shape[0], 24);
        let (before, after) = tokens.split_at(11);
        for variant in variants() {
            let expected = Run::new(&model, variant).feed(&tokens)[11..].to_vec();
            let mut run = Run::new(&model, variant);
            run.feed(before);
            let clone = run.state.clone();
            let saved = run.state.to_bytes();
            assert_eq!(saved.len(), run.state.saved_len());
            assert_eq!(run.feed(after), expected, "{shape:?} {version} {variant:?}");
            assert_eq!(clone.to_bytes(), saved, "{variant:?}: a clone is its own");
            run.state = clone;
            assert_eq!(run.feed(after), expected, "{shape:?} {version} {variant:?} cloned");
            for other in variants() {
                let mut run = Run::new(&model, other);
                run.state = run.engine.restore_state(&saved).unwrap();
                assert_eq!(run.state.to_bytes(), saved);
                assert_eq!(run.feed(after), expected, "{shape:?} {version} from {variant:?} to {other:?}");
            }
        }
    }
}

#[test]
fn a_reset_state_is_a_new_one() {
    let file = file(SHAPES[3], Version::V1_1);
    let model = Model::parse(&file).unwrap();
    let mut run = Run::new(&model, Variant::best());
    let new = run.state.to_bytes();
    let tokens = tokens(SHAPES[3][0], 9);
    let first = run.feed(&tokens);
    assert_ne!(run.state.to_bytes(), new);
    run.state.reset();
    assert_eq!(run.state.to_bytes(), new);
    assert_eq!(run.feed(&tokens), first);
}

/// A state has a fixed size for any length of text.
#[test]
fn the_saved_form_is_as_documented() {
    let shape = [5, 2, 1, 3, 1];
    let file = file(shape, Version::V1_2);
    let model = Model::parse(&file).unwrap();
    let mut run = Run::new(&model, Variant::Generic);
    for n in [0, 1, 30] {
        run.feed(&tokens(5, n));
        let saved = run.state.to_bytes();
        assert_eq!(saved.len(), 16 + 4 * 2 * (3 + 3 + 9) + 8);
        assert_eq!(saved[..8], *b"BSST\x01\0\0\0");
        assert_eq!(saved[8..16], run.engine.model_digest().to_le_bytes());
    }
}

/// A tiny model's saved state after a few tokens.
fn saved(model: &Model<'_>) -> (Run<'static>, Vec<u8>) {
    // Leaked so that the engine can be returned: a few hundred bytes per test.
    let bytes: &'static [u8] = model.bytes().to_vec().leak();
    let mut run = Run::new(&Model::parse(bytes).unwrap(), Variant::Generic);
    run.feed(&tokens(model.config.vocab_size, 5));
    let saved = run.state.to_bytes();
    (run, saved)
}

#[test]
fn every_flipped_bit_is_refused() {
    let file = file([5, 1, 1, 3, 1], Version::V1_0);
    let (run, good) = saved(&Model::parse(&file).unwrap());
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let word = |at: usize| u32::from_le_bytes(bad[at..at + 4].try_into().unwrap());
        let expected = match bit / 8 {
            0..4 => RestoreError::Magic,
            4..8 => RestoreError::Version { found: word(4) },
            8..16 => RestoreError::Model {
                found: u64::from(word(12)) << 32 | u64::from(word(8)),
                expected: run.engine.model_digest(),
            },
            _ => RestoreError::Damaged,
        };
        assert_eq!(run.engine.restore_state(&bad).err(), Some(expected), "bit {bit}");
    }
}

#[test]
fn every_other_length_is_refused() {
    let file = file([5, 1, 1, 3, 1], Version::V1_0);
    let (run, good) = saved(&Model::parse(&file).unwrap());
    for found in (0..2 * good.len()).filter(|&found| found != good.len()) {
        let bad: Vec<u8> = good.iter().copied().cycle().take(found).collect();
        let expected =
            if found < 4 { RestoreError::Magic } else { RestoreError::Length { found, expected: good.len() } };
        assert_eq!(run.engine.restore_state(&bad).err(), Some(expected), "{found} bytes");
    }
    let garbage: Vec<u8> = (0..good.len()).map(|i| (i * 37) as u8).collect();
    assert_eq!(run.engine.restore_state(&garbage).err(), Some(RestoreError::Magic));
}

#[test]
fn a_state_of_another_model_is_refused() {
    // The same shapes and version, other weights.
    let config = support::config([5, 1, 1, 3, 1]);
    let files = [1, 2].map(|seed| bitstate_model::synthetic(&config, seed, Version::V1_2));
    let [(run, good), (other, _)] = files.each_ref().map(|file| saved(&Model::parse(file).unwrap()));
    let expected = RestoreError::Model { found: run.engine.model_digest(), expected: other.engine.model_digest() };
    assert_eq!(other.engine.restore_state(&good).err(), Some(expected));
}
