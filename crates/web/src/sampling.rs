//! Sampling parameters.

use wasm_bindgen::prelude::wasm_bindgen;

/// How the next token is chosen; the same fields as in the crate `bitstate`.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Seed of the generator: the same seed gives the same text on every machine.
    pub seed: u64,
    /// Below 1, likely tokens gain probability; above 1, they lose it. 0 always chooses the likeliest.
    pub temperature: f32,
    /// Number of likeliest tokens to keep; 0 keeps all.
    #[wasm_bindgen(js_name = topK)]
    pub top_k: u32,
    /// Probability mass of the likeliest tokens to keep, in (0, 1].
    #[wasm_bindgen(js_name = topP)]
    pub top_p: f32,
    /// Removes tokens less likely than this fraction of the likeliest one.
    #[wasm_bindgen(js_name = minP)]
    pub min_p: f32,
    /// Reduces a token by this factor for each time it was seen, up to three times; 1 disables it.
    pub penalty: f32,
}

#[wasm_bindgen]
impl Sampling {
    /// Samples from the model's unchanged probabilities.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: u64) -> Sampling {
        Sampling::from(&bitstate::Sampling::seeded(seed))
    }
}

impl From<&bitstate::Sampling> for Sampling {
    fn from(sampling: &bitstate::Sampling) -> Self {
        let bitstate::Sampling { seed, temperature, top_k, top_p, min_p, penalty, .. } = *sampling;
        Sampling { seed, temperature, top_k, top_p, min_p, penalty }
    }
}

impl From<Sampling> for bitstate::Sampling {
    fn from(sampling: Sampling) -> Self {
        let Sampling { seed, temperature, top_k, top_p, min_p, penalty } = sampling;
        bitstate::Sampling::seeded(seed)
            .temperature(temperature)
            .top_k(top_k)
            .top_p(top_p)
            .min_p(min_p)
            .penalty(penalty)
    }
}
