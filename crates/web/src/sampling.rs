//! How a token is chosen.

use wasm_bindgen::prelude::wasm_bindgen;

/// How a token is chosen; the fields as the crate `bitstate` has them.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Seed of the generator: the same seed gives the same text on every machine.
    pub seed: u64,
    /// Below 1 likely tokens gain, above 1 they lose; 0 always takes the likeliest.
    pub temperature: f32,
    /// Tokens kept of the likeliest; 0 keeps all.
    #[wasm_bindgen(js_name = topK)]
    pub top_k: u32,
    /// Share of the probability that is kept of the likeliest, in (0, 1].
    #[wasm_bindgen(js_name = topP)]
    pub top_p: f32,
    /// What is less likely than this share of the likeliest is left out.
    #[wasm_bindgen(js_name = minP)]
    pub min_p: f32,
    /// A token loses by this factor each time it was seen, up to three times; 1 is none.
    pub penalty: f32,
}

#[wasm_bindgen]
impl Sampling {
    /// Drawn by the probabilities as they are.
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
