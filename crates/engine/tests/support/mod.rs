//! Small models of unusual shapes, and engines for them.
#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "../../../kernels/tests/support/variants.rs"]
mod kernels;

use bitstate_engine::{Engine, NotFinite, State};
use bitstate_kernels::{Kernels, Variant};
use bitstate_model::{Config, Model, Version, synthetic};

/// V, L, H, S, ff.
pub const SHAPES: [[usize; 5]; 9] = [
    [64, 2, 2, 32, 2],
    [101, 1, 3, 32, 3],
    [7, 1, 5, 32, 2],
    [17, 2, 3, 8, 4],
    [33, 2, 5, 1, 1],
    [1, 1, 1, 1, 1],
    [1, 3, 2, 8, 1],
    [5, 2, 1, 3, 1],
    [3, 1, 7, 5, 3],
];

pub fn config([vocab_size, n_layer, n_head, head_size, ff_mult]: [usize; 5]) -> Config {
    let n_embd = n_head * head_size;
    Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len: 8, dropout: 0.0 }
}

/// The file of a model with a shape like those in [`SHAPES`].
pub fn file(shape: [usize; 5], version: Version) -> Vec<u8> {
    synthetic(&config(shape), 7, version)
}

/// The variants that run here.
pub fn variants() -> Vec<Variant> {
    kernels::variants().iter().map(Kernels::variant).collect()
}

/// `n` tokens that only depend on the vocabulary size.
pub fn tokens(vocab_size: usize, n: usize) -> Vec<u32> {
    let mut x = 1u32;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) % vocab_size as u32
    };
    (0..n).map(|_| next()).collect()
}

/// Bits of the logits, with all NaNs equal.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() }).collect()
}

/// An engine with a new session.
pub struct Run<'m> {
    pub engine: Engine<'m>,
    pub state: State,
    pub logits: Vec<f32>,
}

impl<'m> Run<'m> {
    pub fn new(model: &Model<'m>, variant: Variant) -> Self {
        let engine = Engine::new(model, variant).unwrap();
        let (state, logits) = (engine.new_state(), vec![0.0; model.config.vocab_size]);
        Run { engine, state, logits }
    }

    /// The bits of the logits after each of `tokens`. Logits that are not finite are included, beside an error that
    /// names the first.
    pub fn feed(&mut self, tokens: &[u32]) -> Vec<Vec<u32>> {
        let step = |&token| {
            let given = self.engine.forward(token, &mut self.state, &mut self.logits);
            let not_finite = (0..).zip(&self.logits).find(|(_, logit)| !logit.is_finite());
            let expected = not_finite.map_or(Ok(()), |(token, _)| Err(NotFinite { token }.into()));
            assert_eq!(given, expected);
            bits(&self.logits)
        };
        tokens.iter().map(step).collect()
    }
}
