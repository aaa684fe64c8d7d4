//! Small models, and all the ways to run them.

use crate::input::bits;
use bitstate_engine::{Engine, State, TopLogit};
use bitstate_kernels::{Kernels, Variant};
use bitstate_model::Config;
use bitstate_reference::{Canonical, CanonicalState};

/// A model's shapes.
pub(crate) fn config([vocab_size, n_layer, n_head, head_size, ff_mult]: [usize; 5]) -> Config {
    let n_embd = n_head * head_size;
    Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len: 64, dropout: 0.0 }
}

/// The variants that run here.
pub(crate) fn variants() -> impl Iterator<Item = Variant> {
    Variant::ALL.into_iter().filter(|&variant| Kernels::new(variant).is_ok())
}

/// The logits after each of `tokens` and what the state is then, worked out by the reference.
pub(crate) fn by_reference(canonical: &Canonical, mut state: CanonicalState, tokens: &[u32]) -> Vec<Vec<u32>> {
    let mut steps: Vec<Vec<u32>> = tokens.iter().map(|&token| bits(&canonical.forward(token, &mut state))).collect();
    let layers = state.layers.iter();
    steps.push(
        layers.flat_map(|layer| [&layer.time_mix, &layer.channel_mix, &layer.wkv]).flat_map(|v| bits(v)).collect(),
    );
    steps
}

/// The same by one variant, token by token; and that all at once, and the largest logits alone, come to the same.
pub(crate) fn by_engine(engine: &Engine<'_>, state: &State, tokens: &[u32]) -> Vec<Vec<u32>> {
    let (mut single, mut together) = (state.clone(), state.clone());
    let mut logits = vec![0.0; engine.config().vocab_size];
    let mut steps = Vec::new();
    for &token in tokens {
        engine.forward(token, &mut single, &mut logits).expect("the token is the model's");
        steps.push(bits(&logits));
    }
    let ranked = ranked(&logits);
    let mut top = vec![TopLogit::default(); ranked.len().min(3)];
    let mut room = vec![f32::NAN; logits.len()];
    engine.top_logits(&mut single, &mut top, &mut room).expect("the state has seen a token");
    assert_eq!(comparable(&top), comparable(&ranked[..top.len()]), "largest logits, {:?}", engine.variant());

    engine.prefill(tokens, &mut together, &mut logits).expect("the tokens are the model's");
    assert_eq!(steps.last(), Some(&bits(&logits)), "prefill, {:?}", engine.variant());
    steps.push(values(&single));
    assert_eq!(steps.last(), Some(&values(&together)), "state after prefill, {:?}", engine.variant());
    steps
}

/// Every logit in the order of candidates.
fn ranked(logits: &[f32]) -> Vec<TopLogit> {
    let mut ranked: Vec<TopLogit> = (0..).zip(logits).map(|(token, &logit)| TopLogit { token, logit }).collect();
    ranked.sort_by(TopLogit::order);
    ranked
}

fn comparable(top: &[TopLogit]) -> Vec<(u32, f32)> {
    // -0 and +0 are equal logits, and a NaN is none.
    top.iter().map(|top| (top.token, if top.logit.is_nan() { f32::NEG_INFINITY } else { top.logit })).collect()
}

/// The values of a state, as bits with every NaN alike.
fn values(state: &State) -> Vec<u32> {
    let saved = state.to_bytes();
    let values = saved[16..saved.len() - 8].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    bits(&values.collect::<Vec<_>>())
}
