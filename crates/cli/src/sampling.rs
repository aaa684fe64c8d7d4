//! The flags for sampling and for the end of a text.

use crate::numbers;
use anyhow::{Context, Result, ensure};
use bitstate::{Model, Order, Sampling, Stop};
use std::hash::{BuildHasher, Hasher, RandomState};

/// Sampling parameters. A parameter that is not given has the value in the model's description, or is off.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingFlags {
    /// Always choose the likeliest token.
    #[arg(long, conflicts_with_all = ["seed", "temperature", "top_k", "top_p", "min_p", "typical_p", "penalty"])]
    greedy: bool,
    /// Seed of the sampler, a whole number below 2^64; by default random, below 2^53, and reported.
    #[arg(long, value_name = "N", value_parser = numbers::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Below 1, likely tokens gain probability; above 1, they lose it; 0 is --greedy. Default: the model's description, else
    /// 0.8.
    #[arg(long, value_name = "T", value_parser = numbers::temperature, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Apply the temperature after min-p, as llama.cpp does, instead of first.
    #[arg(long, conflicts_with = "greedy")]
    temperature_last: bool,
    /// Keep this many of the likeliest tokens; 0 keeps all. Default: the model's description, else 50.
    #[arg(long, value_name = "K", value_parser = numbers::count, allow_negative_numbers = true)]
    top_k: Option<u32>,
    /// Keep the likeliest tokens up to this probability mass. Default: the model's description, else 0.9.
    #[arg(long, value_name = "P", value_parser = numbers::share, allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Remove tokens less likely than this fraction of the likeliest one; 0 removes none.
    #[arg(long, value_name = "P", value_parser = numbers::share_or_none, allow_negative_numbers = true)]
    min_p: Option<f32>,
    /// Keep this probability mass, of the tokens whose surprise is nearest to the mean; 1 disables it.
    #[arg(long, value_name = "P", value_parser = numbers::share, allow_negative_numbers = true)]
    typical_p: Option<f32>,
    /// Penalty on tokens seen before; 1 disables it. Default: the model's description, else 1.1, but 1 for a model of 256
    /// tokens, which are assumed to be bytes: letters recur in any text.
    #[arg(long, value_name = "F", value_parser = numbers::penalty, allow_negative_numbers = true)]
    penalty: Option<f32>,
    /// Penalty on tokens among the last --repeat-last-n, once each; 1 disables it.
    #[arg(long, value_name = "F", value_parser = numbers::factor, allow_negative_numbers = true)]
    repeat_penalty: Option<f32>,
    /// Subtracted from the logits of tokens among the last --repeat-last-n.
    #[arg(long, value_name = "F", value_parser = numbers::finite, allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    /// Subtracted from the logits of tokens for each occurrence among the last --repeat-last-n.
    #[arg(long, value_name = "F", value_parser = numbers::finite, allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// Number of last tokens that these penalties consider; 64 by default.
    #[arg(long, value_name = "N", value_parser = numbers::window, allow_negative_numbers = true)]
    repeat_last_n: Option<u32>,
    /// Add BIAS to the logit of a token, given by its id or name; -100 practically excludes it. May be repeated.
    #[arg(long, value_name = "TOKEN=BIAS", value_parser = bias, allow_hyphen_values = true)]
    logit_bias: Vec<(String, f32)>,
}

fn bias(text: &str) -> Result<(String, f32), String> {
    let (token, bias) = text.rsplit_once('=').ok_or("give a token and its bias, as in 42=-100")?;
    Ok((token.to_string(), numbers::finite(bias)?))
}

/// The id of a token, given by its name or id.
pub fn token(model: &Model, token: &str) -> Result<u32> {
    let id = match model.tokenizer() {
        Some(tokenizer) => tokenizer.id(token)?,
        None => token.parse().ok().context("without a tokenizer, give the id of a token")?,
    };
    let vocab_size = model.config().vocab_size;
    ensure!(
        (id as usize) < vocab_size,
        "token {id} is not in the vocabulary: the model has tokens 0 to {}",
        vocab_size - 1
    );
    Ok(id)
}

impl SamplingFlags {
    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        let SamplingFlags { greedy, seed, temperature, temperature_last, top_k, top_p, .. } = self;
        let SamplingFlags { min_p, typical_p, penalty, repeat_penalty, presence_penalty, frequency_penalty, .. } = self;
        let shares = [top_p, min_p, typical_p, temperature];
        let penalties = [penalty, repeat_penalty, presence_penalty, frequency_penalty];
        let numbers = shares.into_iter().chain(penalties).any(Option::is_some);
        let counts = seed.is_some() || top_k.is_some() || self.repeat_last_n.is_some();
        numbers || counts || *greedy || *temperature_last || !self.logit_bias.is_empty()
    }

    /// The given parameters over `defaults`, with a random seed if none was given.
    pub fn fresh(&self, model: &Model) -> Result<Sampling> {
        self.over(model, model.sampling(0), drawn_seed)
    }

    /// The given parameters over those of a session.
    pub fn change(&self, model: &Model, now: &Sampling) -> Result<Sampling> {
        self.over(model, now.clone(), || now.seed)
    }

    fn over(&self, model: &Model, defaults: Sampling, seed: impl FnOnce() -> u64) -> Result<Sampling> {
        let temperature = if self.greedy { 0.0 } else { self.temperature.unwrap_or(defaults.temperature) };
        let mut bias = defaults.bias.clone();
        for (name, value) in &self.logit_bias {
            bias.push((token(model, name).context("--logit-bias")?, *value));
        }
        let sampling = Sampling {
            repetition: self.repeat_penalty.unwrap_or(defaults.repetition),
            presence: self.presence_penalty.unwrap_or(defaults.presence),
            frequency: self.frequency_penalty.unwrap_or(defaults.frequency),
            window: self.repeat_last_n.unwrap_or(defaults.window),
            bias,
            ..Sampling::greedy()
        };
        if temperature == 0.0 {
            ensure!(
                self.penalty.is_none_or(|penalty| penalty == 1.0),
                "a temperature of 0 is --greedy, which has no penalty: omit --penalty, or give a --temperature \
                 above 0"
            );
            return Ok(sampling);
        }
        Ok(Sampling {
            seed: self.seed.unwrap_or_else(seed),
            temperature,
            order: if self.temperature_last { Order::TemperatureLast } else { defaults.order },
            top_k: self.top_k.unwrap_or(defaults.top_k),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            min_p: self.min_p.unwrap_or(defaults.min_p),
            typical_p: self.typical_p.unwrap_or(defaults.typical_p),
            penalty: self.penalty.unwrap_or(defaults.penalty),
            ..sampling
        })
    }
}

/// 53 bits, which every JSON parser keeps: many only have f64 numbers.
fn drawn_seed() -> u64 {
    // The standard library seeds its hash tables with the system's random numbers.
    RandomState::new().build_hasher().finish() >> 11
}

/// When a text ends.
#[derive(clap::Args, Clone, Default)]
pub struct StopFlags {
    /// Stop before this text, which is not printed. May be repeated.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub stop: Vec<String>,
    /// Stop at this token, given by its id or name. May be repeated.
    #[arg(long, value_name = "TOKEN")]
    pub stop_token: Vec<String>,
    /// Continue after the end of the text.
    #[arg(long, conflicts_with = "end")]
    pub ignore_end: bool,
}

impl StopFlags {
    /// Converts to the library's parameters.
    pub fn stop(&self, model: &Model) -> Result<Stop> {
        let mut stop = if self.ignore_end { Stop::new().ignore_end() } else { Stop::new() };
        for name in &self.stop_token {
            stop = stop.token(token(model, name).context("--stop-token")?);
        }
        ensure!(
            self.stop.is_empty() || model.tokenizer().is_some(),
            "--stop needs a tokenizer: give --tokenizer, or use --stop-token"
        );
        Ok(self.stop.iter().fold(stop, |stop, text| stop.text(text)))
    }
}
