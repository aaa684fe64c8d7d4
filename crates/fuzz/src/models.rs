//! Small models, and every way to run them.

use crate::input::bits;
use bitstate_engine::{Engine, ForwardError, NotFinite, State, TopLogit};
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

/// The logits after each of `tokens` and the final state, computed by the reference.
pub(crate) fn by_reference(canonical: &Canonical, mut state: CanonicalState, tokens: &[u32]) -> Vec<Vec<u32>> {
    let mut steps: Vec<Vec<u32>> = tokens.iter().map(|&token| bits(&canonical.forward(token, &mut state))).collect();
    let layers = state.layers.iter();
    steps.push(
        layers.flat_map(|layer| [&layer.time_mix, &layer.channel_mix, &layer.wkv]).flat_map(|v| bits(v)).collect(),
    );
    steps
}

/// The same with one variant, token by token. Asserts that prefill and the largest logits give the same results.
pub(crate) fn by_engine(engine: &Engine<'_>, state: &State, tokens: &[u32]) -> Vec<Vec<u32>> {
    let (mut single, mut together) = (state.clone(), state.clone());
    let mut logits = vec![0.0; engine.config().vocab_size];
    let mut steps = Vec::new();
    for &token in tokens {
        let forwarded = engine.forward(token, &mut single, &mut logits);
        assert_eq!(forwarded, finite(&logits), "{:?}", engine.variant());
        steps.push(bits(&logits));
    }
    let ranked = ranked(&logits);
    let mut top = vec![TopLogit::default(); ranked.len().min(3)];
    let mut room = vec![f32::NAN; logits.len()];
    let found = engine.top_logits(&mut single, &mut top, &mut room).map(|_| ());
    assert_eq!(found, finite(&logits), "largest logits, {:?}", engine.variant());
    if found.is_ok() {
        assert_eq!(top, ranked[..top.len()], "largest logits, {:?}", engine.variant());
    }

    let prefilled = engine.prefill(tokens, &mut together, &mut logits);
    assert_eq!(prefilled, finite(&logits), "prefill, {:?}", engine.variant());
    assert_eq!(steps.last(), Some(&bits(&logits)), "prefill, {:?}", engine.variant());
    steps.push(values(&single));
    assert_eq!(steps.last(), Some(&values(&together)), "state after prefill, {:?}", engine.variant());
    steps
}

/// All logits in the order of candidates.
fn ranked(logits: &[f32]) -> Vec<TopLogit> {
    let mut ranked: Vec<TopLogit> = (0..).zip(logits).map(|(token, &logit)| TopLogit { token, logit }).collect();
    ranked.sort_by(TopLogit::order);
    ranked
}

/// The expected result of a call that returns these logits: an error that names the first one that is NaN or infinite.
fn finite(logits: &[f32]) -> Result<(), ForwardError> {
    let token = logits.iter().position(|logit| !logit.is_finite());
    token.map_or(Ok(()), |token| Err(NotFinite { token: token as u32 }.into()))
}

/// The values of a state, as bits with all NaNs equal.
fn values(state: &State) -> Vec<u32> {
    let saved = state.to_bytes();
    let values = saved[16..saved.len() - 8].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    bits(&values.collect::<Vec<_>>())
}
