//! Saved states: rejected by every variant with the same error, or restored to the same bits, with the same results as
//! the reference afterwards.
//!
//! The first byte of an input is the kind of the rest: a saved state, one whose digest is corrected, or values that are
//! repeated to fill a state.

use crate::models::{by_engine, by_reference, config, variants};
use bitstate_engine::Engine;
use bitstate_model::{Config, Model, Version, synthetic};
use bitstate_protocol::Digest;
use bitstate_reference::canonical::LayerState;
use bitstate_reference::{Canonical, CanonicalState};
use std::sync::LazyLock;

/// What follows the first byte: a saved state.
pub const AS_IT_IS: u8 = b's';
/// The first byte of an input with a saved state whose digest is replaced with the correct one.
pub const DIGEST_MADE: u8 = b'd';
/// What follows the first byte: values.
pub const VALUES: u8 = b'v';

/// Bytes before and after the values.
const HEADER: usize = 16;
const TRAILER: usize = 8;

/// The model of the states, prepared for every variant that runs here and for the reference.
struct Engines {
    all: Vec<Engine<'static>>,
    reference: Canonical,
}

static ENGINES: LazyLock<Engines> = LazyLock::new(|| {
    let file = synthetic(&config([37, 1, 2, 17, 1]), 1, Version::V1_2);
    let model = Model::parse(file.leak()).expect("a synthetic model is valid");
    let engine = |variant| Engine::new(&model, variant).expect("the variant runs here");
    Engines { all: variants().map(engine).collect(), reference: Canonical::new(&model) }
});

/// Reads one input.
///
/// # Panics
/// If two results differ.
pub fn run(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    let Engines { all: engines, reference } = &*ENGINES;
    let saved = match kind {
        AS_IT_IS => data.to_vec(),
        DIGEST_MADE => with_digest(data),
        VALUES => of_values(&engines[0], data),
        _ => return,
    };
    let Ok(first) = engines[0].restore_state(&saved) else {
        let error = engines[0].restore_state(&saved).err();
        assert!(kind != VALUES, "{error:?}");
        for engine in engines {
            assert_eq!(engine.restore_state(&saved).err(), error, "{:?}", engine.variant());
        }
        return;
    };
    assert_eq!(first.to_bytes(), saved, "a restored state saves to the same bytes");
    let tokens = [5, 36];
    let expected = by_reference(reference, canonical(reference.config(), &saved), &tokens);
    for engine in engines {
        let state = engine.restore_state(&saved).expect("the first variant restored it");
        assert_eq!(by_engine(engine, &state, &tokens), expected, "{:?}", engine.variant());
    }
}

/// Replaces the digest at the end with the correct one.
fn with_digest(data: &[u8]) -> Vec<u8> {
    let mut saved = data[..data.len().saturating_sub(TRAILER)].to_vec();
    saved.extend(Digest::of(&saved).0.to_le_bytes());
    saved
}

/// The saved form of a state with these values, repeated.
fn of_values(engine: &Engine<'_>, data: &[u8]) -> Vec<u8> {
    let mut saved = engine.new_state().to_bytes();
    if !data.is_empty() {
        let end = saved.len() - TRAILER;
        saved[HEADER..end].iter_mut().zip(data.iter().cycle()).for_each(|(to, &from)| *to = from);
    }
    with_digest(&saved)
}

/// The same state for the reference.
fn canonical(config: &Config, saved: &[u8]) -> CanonicalState {
    let values = saved[HEADER..saved.len() - TRAILER].chunks_exact(4);
    let mut values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut take = |count: usize| values.by_ref().take(count).collect::<Vec<f32>>();
    let layers = (0..config.n_layer).map(|_| LayerState {
        time_mix: take(config.n_embd),
        channel_mix: take(config.n_embd),
        wkv: take(config.n_embd * config.head_size),
    });
    CanonicalState { layers: layers.collect() }
}

/// A saved state of the model, some tokens into a text.
pub fn saved(tokens: &[u32]) -> Vec<u8> {
    let engine = &ENGINES.all[0];
    let mut state = engine.new_state();
    engine.advance(tokens, &mut state).expect("the tokens are in the vocabulary");
    state.to_bytes()
}
