//! A chain of samplers, as `golden/cases.toml` and the golden streams write it.

use bitstate_protocol::{Bias, Chain};
use serde::Deserialize;

/// What is left out of it is off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainEntry {
    seed: u64,
    temperature: Option<f32>,
    temperature_last: Option<bool>,
    top_k: Option<u32>,
    typical_p: Option<f32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    penalty: Option<f32>,
    repetition: Option<f32>,
    presence: Option<f32>,
    frequency: Option<f32>,
    window: Option<u32>,
    #[serde(default)]
    bias: Vec<(u32, f32)>,
}

impl ChainEntry {
    /// What a runner is asked.
    pub fn chain(&self) -> Chain {
        let off = Chain::plain(self.seed);
        Chain {
            seed: self.seed,
            temperature: self.temperature.unwrap_or(off.temperature),
            temperature_last: self.temperature_last.unwrap_or(off.temperature_last),
            top_k: self.top_k.unwrap_or(off.top_k),
            typical_p: self.typical_p.unwrap_or(off.typical_p),
            top_p: self.top_p.unwrap_or(off.top_p),
            min_p: self.min_p.unwrap_or(off.min_p),
            penalty: self.penalty.unwrap_or(off.penalty),
            repetition: self.repetition.unwrap_or(off.repetition),
            presence: self.presence.unwrap_or(off.presence),
            frequency: self.frequency.unwrap_or(off.frequency),
            window: self.window.unwrap_or(off.window),
            bias: self.bias.iter().map(|&(token, bias)| Bias { token, bias }).collect(),
        }
    }
}
