//! A BITS file through the parser, the layout and some tokens: rejected, or with bit-identical results from every variant and
//! the reference.
//!
//! An input with a BITS file's magic is used as a file. Any other is a recipe, so that a whole model can be generated and not
//! only its header: shapes, version and seed of a synthetic model in 7 bytes, then changes of its weights in 8 bytes each.

use crate::input::{Input, with_file};
use crate::models::{by_engine, by_reference, config, variants};
use bitstate_engine::Engine;
use bitstate_model::{
    AlignedBytes, BitLinearWeights, ChannelMixWeights, EmbeddingWeights, LayerWeights, Model, NormWeights,
    TimeMixWeights, Version, Weights,
};
use bitstate_reference::{Canonical, CanonicalState};

/// Reads one input.
///
/// # Panics
/// If two results differ, or a written file cannot be parsed.
pub fn run(data: &[u8]) {
    if data.starts_with(b"STIB") {
        let read = with_file(data, |path| AlignedBytes::read_model(path));
        if let Ok(model) = Model::parse(data) {
            assert_eq!(*read.expect("a parsed file can be read"), *data);
            check(&model);
        }
        return;
    }
    let mut input = Input(data);
    let (weights, version) = recipe(&mut input);
    let Ok(file) = weights.write(version) else { return };
    let model = Model::parse(&file).expect("a written model can be parsed");
    assert_eq!((model.config, model.version), (weights.config, version));
    check(&model);
}

fn check(model: &Model<'_>) {
    let last = model.config.vocab_size as u32 - 1;
    let tokens = [last / 2, last];
    let expected = by_reference(&Canonical::new(model), CanonicalState::new(&model.config), &tokens);
    for variant in variants() {
        let Ok(engine) = Engine::new(model, variant) else { continue };
        assert_eq!(by_engine(&engine, &engine.new_state(), &tokens), expected, "{variant:?}");
    }
}

/// A synthetic model with some of its weights changed.
fn recipe(input: &mut Input<'_>) -> (Weights, Version) {
    let mut size = |most: usize| usize::from(input.u8()) % most + 1;
    // Small, so that many can be tried; wide enough for a block of every kernel and a remainder.
    let shape = [size(80), size(2), size(2), size(33), size(2)];
    let version = Version::ALL[size(3) - 1];
    let seed = input.u8();
    let mut weights = Weights::synthetic(&config(shape), u64::from(seed)).expect("the shape is valid");
    // Enough changes to modify every tensor of the largest model; more only cost time.
    for _ in 0..256 {
        if input.is_empty() {
            break;
        }
        let (part, at, value) = (usize::from(input.u16()), usize::from(input.u16()), input.f32());
        change(&mut weights, part, at, value);
    }
    (weights, version)
}

/// Writes `value` to one element of one tensor; or, for an odd `part`, to all of it.
fn change(weights: &mut Weights, part: usize, at: usize, value: f32) {
    let mut tensors = tensors(weights);
    let count = tensors.len();
    let tensor = &mut tensors[part / 2 % count];
    if part % 2 == 1 {
        tensor.fill(value);
    } else if !tensor.is_empty() {
        let at = at % tensor.len();
        tensor[at] = value;
    }
}

/// Every f32 of a model, tensor by tensor.
fn tensors(weights: &mut Weights) -> Vec<&mut [f32]> {
    let Weights { embedding, layers, ln_f, .. } = weights;
    let mut all: Vec<&mut [f32]> = Vec::new();
    match embedding {
        EmbeddingWeights::F32(rows) => all.push(rows),
        EmbeddingWeights::Int8 { scales, .. } => all.push(scales),
    }
    norm(&mut all, ln_f);
    for LayerWeights { ln1, time_mix, ln2, channel_mix } in layers {
        let TimeMixWeights { r, k, v, g, o, log_decay, u, mu_r, mu_k, mu_v, mu_g, group_norm } = time_mix;
        let ChannelMixWeights { k: ck, r: cr, v: cv, mu_k: cmu_k, mu_r: cmu_r } = channel_mix;
        for BitLinearWeights { scale, norm: of_linear, .. } in [r, k, v, g, o, ck, cr, cv] {
            all.push(std::slice::from_mut(scale));
            norm(&mut all, of_linear);
        }
        for of_layer in [ln1, ln2, group_norm] {
            norm(&mut all, of_layer);
        }
        for vector in [log_decay, u, mu_r, mu_k, mu_v, mu_g, cmu_k, cmu_r] {
            all.push(vector);
        }
    }
    all
}

fn norm<'w>(all: &mut Vec<&'w mut [f32]>, norm: &'w mut NormWeights) {
    all.push(&mut norm.weight);
    all.push(&mut norm.bias);
}
