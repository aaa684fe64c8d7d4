//! A chain of samplers in `cases.toml` and in a golden stream.

use serde::{Deserialize, Serialize};

/// What is left out of it is off, and left out of the stream.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature_last: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typical_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repetition: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bias: Vec<(u32, f32)>,
}

impl Chain {
    /// What the oracle is asked.
    pub fn oracle(&self) -> bitstate_reference::Chain {
        bitstate_reference::Chain {
            seed: self.seed,
            temperature: self.temperature.unwrap_or(1.0),
            temperature_last: self.temperature_last.unwrap_or(false),
            top_k: self.top_k.unwrap_or(0) as usize,
            typical_p: self.typical_p.unwrap_or(1.0),
            top_p: self.top_p.unwrap_or(1.0),
            min_p: self.min_p.unwrap_or(0.0),
            penalty: self.penalty.unwrap_or(1.0),
            repetition: self.repetition.unwrap_or(1.0),
            presence: self.presence.unwrap_or(0.0),
            frequency: self.frequency.unwrap_or(0.0),
            window: self.window.unwrap_or(64) as usize,
            bias: self.bias.clone(),
        }
    }
}
