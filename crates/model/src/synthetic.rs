//! Seeded models that behave like trained ones in what matters for testing and timing: logits of spread one,
//! activations that fill the INT8 range, and greedy text that does not repeat itself.
//!
//! Only `+ - * /` and correctly rounded `√` are used, so a seed gives the same file on every platform. All draws come
//! from one SplitMix64 stream: the embedding, then layer by layer, then `ln_f`.
//!
//! | part | value | why |
//! |---|---|---|
//! | ternary weights | -1, 0, 1, a third each | as BitNet training leaves them |
//! | matrix scale | `gain / √(in · 2/3)` | a normalised input gives outputs of spread `gain` |
//! | `gain` of r, k, v, g and the channel mix's k, r | 1 | gates in their working range |
//! | `gain` of both output matrices | [`CONTRIBUTION`] `/ √(D · L)` | see its documentation |
//! | norms | γ = 1 ± 0.1, β = ± 0.02 | near the identity, but every value counts |
//! | `ln_f` γ | as above, three of four negative | see below |
//! | log_decay | `-4 + 3·l/(L-1) + 2·i/(S-1)` | where training starts: memory from under 1 to 55 tokens |
//! | u | ln 0.3 | where training starts |
//! | μ | uniform in [0, 1) | the previous token counts as much as the current one |
//! | embedding | normal, spread `1 / √D` | rows of norm 1, so logits of spread 1 |
//!
//! The head is the embedding, so with a plain `ln_f` the token just read would score highest and greedy text would
//! repeat it forever. Signs turn the residual stream away from the token's own row and preserve every length. With half
//! of them negative a token's own score is zero on average, and small vocabularies still fell into loops of one token;
//! with three of four each token avoids itself. Measured over six seeds and two prompts, 256 greedy tokens each:
//!
//! | preset | spread of the logits | distinct in the first 64 | immediate repeats |
//! |---|---|---|---|
//! | `small` (64 tokens) | 0.68 to 1.37 | 32 to 41 | 1 in 3,072 |
//! | `byte` (256) | 0.87 to 1.18 | 48 to 59 | none |
//! | `default` (32,011) | 0.95 to 1.04 | 63 to 64 | none |
//!
//! No stream ended in a loop of fewer than 64 tokens.

use crate::weights::{
    BitLinearWeights, ChannelMixWeights, EmbeddingWeights, LayerWeights, NormWeights, TimeMixWeights, Weights,
};
use crate::{Config, Version, WriteError};
use alloc::vec;
use alloc::vec::Vec;

/// Approximate length of the sum of all layers' additions to the residual stream, relative to an embedding row of
/// length 1. It must be well above 1 for the next token to depend on more than the last one.
const CONTRIBUTION: f64 = 3.0;
/// ln 0.3 as an f32.
const LN_0_3: f32 = -1.203_972_8;

/// The file of a seeded model: the same bytes for the same arguments on every platform. The weights of a seed are those
/// of [`Weights::synthetic`] in every version.
///
/// # Panics
/// If `config` is invalid: a size is zero or too large, or `n_embd` is not `n_head · head_size`.
pub fn synthetic(config: &Config, seed: u64, version: Version) -> Vec<u8> {
    match Weights::synthetic(config, seed).and_then(|weights| weights.write(version)) {
        Ok(file) => file,
        Err(error) => panic!("this config is invalid: {error}"),
    }
}

impl Weights {
    /// The weights of a seeded model, with an f32 embedding.
    ///
    /// # Errors
    /// If `config` is invalid: a size is zero or too large, or `n_embd` is not `n_head · head_size`.
    pub fn synthetic(config: &Config, seed: u64) -> Result<Weights, WriteError> {
        config.validate()?;
        let width = config.n_embd;
        let mut random = Random { state: seed };
        let spread = (1.0 / libm::sqrt(width as f64)) as f32;
        let embedding = (0..config.vocab_size * width).map(|_| random.normal() * spread).collect();
        let layers = (0..config.n_layer).map(|index| layer(&mut random, config, index)).collect();
        let mut ln_f = norm(&mut random, width);
        for weight in &mut ln_f.weight {
            *weight *= random.sign();
        }
        Ok(Weights { config: *config, embedding: EmbeddingWeights::F32(embedding), layers, ln_f })
    }
}

fn layer(random: &mut Random, config: &Config, index: usize) -> LayerWeights {
    let (width, ff) = (config.n_embd, config.ff_dim());
    let damped = CONTRIBUTION / libm::sqrt(width as f64 * config.n_layer as f64);
    let r = bit_linear(random, width, width, 1.0);
    let k = bit_linear(random, width, width, 1.0);
    let v = bit_linear(random, width, width, 1.0);
    let g = bit_linear(random, width, width, 1.0);
    let o = bit_linear(random, width, width, damped);
    let ck = bit_linear(random, ff, width, 1.0);
    let cr = bit_linear(random, width, width, 1.0);
    let cv = bit_linear(random, width, ff, damped);
    let ln1 = norm(random, width);
    let ln2 = norm(random, width);
    let mut shift = || (0..width).map(|_| random.uniform()).collect();
    let (mu_r, mu_k, mu_v, mu_g) = (shift(), shift(), shift(), shift());
    let (cmu_k, cmu_r) = (shift(), shift());
    let group_norm = norm(random, width);
    let (log_decay, u) = (log_decay(config, index), vec![LN_0_3; width]);
    LayerWeights {
        ln1,
        time_mix: TimeMixWeights { r, k, v, g, o, log_decay, u, mu_r, mu_k, mu_v, mu_g, group_norm },
        ln2,
        channel_mix: ChannelMixWeights { k: ck, r: cr, v: cv, mu_k: cmu_k, mu_r: cmu_r },
    }
}

fn bit_linear(random: &mut Random, rows: usize, cols: usize, gain: f64) -> BitLinearWeights {
    let scale = (gain / libm::sqrt(cols as f64 * 2.0 / 3.0)) as f32;
    BitLinearWeights { weight: random.ternary(rows * cols), scale, norm: norm(random, cols) }
}

fn norm(random: &mut Random, width: usize) -> NormWeights {
    let weight = (0..width).map(|_| 1.0 + 0.1 * random.normal()).collect();
    let bias = (0..width).map(|_| 0.02 * random.normal()).collect();
    NormWeights { weight, bias }
}

/// H × S, the same for every head: later layers and later channels decay faster.
fn log_decay(config: &Config, layer: usize) -> Vec<f32> {
    // A single layer or channel gets the slowest decay.
    let part = |i: usize, n: usize| i as f64 / n.saturating_sub(1).max(1) as f64;
    let of_layer = -4.0 + 3.0 * part(layer, config.n_layer);
    let of_channel = |at: usize| 2.0 * part(at % config.head_size, config.head_size);
    (0..config.n_embd).map(|at| (of_layer + of_channel(at)) as f32).collect()
}

/// SplitMix64 and distributions drawn from it.
struct Random {
    state: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1), a multiple of 2^-24.
    fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    /// Mean 0 and variance 1, within ±√12: the sum of the value's four 16-bit parts, each uniform.
    fn normal(&mut self) -> f32 {
        let z = self.next();
        let sum = (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
        // Mean 2 · 65535 and variance 4 · (65536² - 1) / 12.
        ((sum as f64 - 131_070.0) / 37_837.227_3) as f32
    }

    /// -1 three times out of four, else 1.
    fn sign(&mut self) -> f32 {
        if self.next() >> 62 == 0 { 1.0 } else { -1.0 }
    }

    /// `count` weights, a third each of -1, 0 and 1; four weights per draw.
    fn ternary(&mut self, count: usize) -> Vec<i8> {
        let mut weights = Vec::with_capacity(count);
        while weights.len() < count {
            let z = self.next();
            let four = [z, z >> 16, z >> 32, z >> 48].map(|part| (((part & 0xffff) * 3) >> 16) as i8 - 1);
            weights.extend(four.into_iter().take(count - weights.len()));
        }
        weights
    }
}
