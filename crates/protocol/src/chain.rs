//! A chain of all samplers in a request.

use crate::line::{Bits, Commas, Fields, LineError, push_field};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// All that a sampler may do, as `crates/ARITHMETIC.md` defines it. Each step has a value that disables it.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Seed of the generator.
    pub seed: u64,
    /// Divides the logits; 0 is greedy, after bias and window.
    pub temperature: f32,
    /// Whether it does so last of all steps, instead of before top-k.
    pub temperature_last: bool,
    /// How many of the largest are kept; 0 keeps all.
    pub top_k: u32,
    /// Share of the probability kept around the mean surprise; 1 keeps all.
    pub typical_p: f32,
    /// Share of the probability kept of the likeliest; 1 keeps all.
    pub top_p: f32,
    /// Share of the likeliest below which nothing is kept; 0 keeps all.
    pub min_p: f32,
    /// Penalty over the whole text; 1 disables it.
    pub penalty: f32,
    /// Factor of a token among the last ones; 1 disables it.
    pub repetition: f32,
    /// Subtracted for a token among the last ones; 0 disables it.
    pub presence: f32,
    /// Subtracted for each occurrence of a token among the last ones; 0 disables it.
    pub frequency: f32,
    /// How many the last ones are.
    pub window: u32,
    /// What is added to logits.
    pub bias: Vec<Bias>,
}

impl Chain {
    /// Draws by the probabilities as they are.
    pub fn plain(seed: u64) -> Self {
        Chain {
            seed,
            temperature: 1.0,
            temperature_last: false,
            top_k: 0,
            typical_p: 1.0,
            top_p: 1.0,
            min_p: 0.0,
            penalty: 1.0,
            repetition: 1.0,
            presence: 0.0,
            frequency: 0.0,
            window: 64,
            bias: Vec::new(),
        }
    }

    pub(crate) fn push(&self, out: &mut String) {
        push_field(out, "seed", self.seed);
        push_field(out, "top_k", self.top_k);
        push_field(out, "window", self.window);
        push_field(out, "temperature_last", self.temperature_last);
        for (key, value) in [
            ("temperature", self.temperature),
            ("typical_p", self.typical_p),
            ("top_p", self.top_p),
            ("min_p", self.min_p),
            ("penalty", self.penalty),
            ("repetition", self.repetition),
            ("presence", self.presence),
            ("frequency", self.frequency),
        ] {
            push_field(out, key, Bits(value));
        }
        push_field(out, "bias", Commas(&self.bias));
    }

    pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Self, LineError> {
        Ok(Chain {
            seed: fields.value("seed")?,
            temperature: fields.float("temperature")?,
            temperature_last: fields.value("temperature_last")?,
            top_k: fields.value("top_k")?,
            typical_p: fields.float("typical_p")?,
            top_p: fields.float("top_p")?,
            min_p: fields.float("min_p")?,
            penalty: fields.float("penalty")?,
            repetition: fields.float("repetition")?,
            presence: fields.float("presence")?,
            frequency: fields.float("frequency")?,
            window: fields.value("window")?,
            bias: fields.list("bias")?,
        })
    }
}

/// What is added to the logit of a token; `7:c2c80000` in a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bias {
    /// The token.
    pub token: u32,
    /// What is added.
    pub bias: f32,
}

impl fmt::Display for Bias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.token, Bits(self.bias))
    }
}

impl FromStr for Bias {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (token, bias) = text.split_once(':').ok_or(())?;
        Ok(Bias { token: token.parse().map_err(|_| ())?, bias: Bits::parse(bias).ok_or(())? })
    }
}
