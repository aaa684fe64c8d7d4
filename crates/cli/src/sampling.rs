//! The flags that say how a token is chosen, and when a text ends.

use crate::numbers;
use anyhow::{Context, Result, ensure};
use bitstate::{Model, Order, Sampling, Stop};
use std::hash::{BuildHasher, Hasher, RandomState};

/// How a token is chosen. What is not given is as the model's description says, or off.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingFlags {
    /// Always take the likeliest token.
    #[arg(long, conflicts_with_all = ["seed", "temperature", "top_k", "top_p", "min_p", "typical_p", "penalty"])]
    greedy: bool,
    /// Seed of the sampler, a whole number below 2^64; drawn at random below 2^53, and reported, if not given.
    #[arg(long, value_name = "N", value_parser = numbers::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Below 1 likely tokens gain, above 1 they lose, 0 is --greedy; 0.8 if neither this nor the model's description says
    /// it.
    #[arg(long, value_name = "T", value_parser = numbers::temperature, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Apply the temperature after min-p, as llama.cpp does, and not first.
    #[arg(long, conflicts_with = "greedy")]
    temperature_last: bool,
    /// Keep this many of the likeliest tokens; 0 keeps all; 50 if neither this nor the model's description says it.
    #[arg(long, value_name = "K", value_parser = numbers::count, allow_negative_numbers = true)]
    top_k: Option<u32>,
    /// Keep this share of the probability; 0.9 if neither this nor the model's description says it.
    #[arg(long, value_name = "P", value_parser = numbers::share, allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Leave out what is less likely than this share of the likeliest; 0 is none.
    #[arg(long, value_name = "P", value_parser = numbers::share_or_none, allow_negative_numbers = true)]
    min_p: Option<f32>,
    /// Keep this share of the probability, of the tokens whose surprise is nearest to the mean; 1 is none.
    #[arg(long, value_name = "P", value_parser = numbers::share, allow_negative_numbers = true)]
    typical_p: Option<f32>,
    /// Penalty on tokens seen before, 1 for none; if neither this nor the model's description says it, 1.1, and none
    /// for a model of 256 tokens, which are taken for bytes: letters come back in any text.
    #[arg(long, value_name = "F", value_parser = numbers::penalty, allow_negative_numbers = true)]
    penalty: Option<f32>,
    /// Penalty on tokens among the last --repeat-last-n, once each; 1 for none.
    #[arg(long, value_name = "F", value_parser = numbers::factor, allow_negative_numbers = true)]
    repeat_penalty: Option<f32>,
    /// Taken from the logits of tokens among the last --repeat-last-n.
    #[arg(long, value_name = "F", value_parser = numbers::finite, allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    /// Taken from the logits of tokens as often as they are among the last --repeat-last-n.
    #[arg(long, value_name = "F", value_parser = numbers::finite, allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// How many last tokens these penalties look at; 64 if not given.
    #[arg(long, value_name = "N", value_parser = numbers::window, allow_negative_numbers = true)]
    repeat_last_n: Option<u32>,
    /// Add BIAS to the logit of a token, given by its id or name; -100 is never in practice. Again for several.
    #[arg(long, value_name = "TOKEN=BIAS", value_parser = bias, allow_hyphen_values = true)]
    logit_bias: Vec<(String, f32)>,
}

fn bias(text: &str) -> Result<(String, f32), String> {
    let (token, bias) = text.rsplit_once('=').ok_or("give a token and its bias, as in 42=-100")?;
    Ok((token.to_string(), numbers::finite(bias)?))
}

/// The id of a token of the model, by its name or id.
pub fn token(model: &Model, token: &str) -> Result<u32> {
    let id = match model.tokenizer() {
        Some(tokenizer) => tokenizer.id(token)?,
        None => token.parse().ok().context("without a tokenizer, give the id of a token")?,
    };
    let vocab_size = model.config().vocab_size;
    ensure!((id as usize) < vocab_size, "token {id} is none of the model's tokens 0 to {}", vocab_size - 1);
    Ok(id)
}

impl SamplingFlags {
    /// Whether any was given.
    pub fn any(&self) -> bool {
        let SamplingFlags { greedy, seed, temperature, temperature_last, top_k, top_p, .. } = self;
        let SamplingFlags { min_p, typical_p, penalty, repeat_penalty, presence_penalty, frequency_penalty, .. } = self;
        let shares = [top_p, min_p, typical_p, temperature];
        let penalties = [penalty, repeat_penalty, presence_penalty, frequency_penalty];
        let numbers = shares.into_iter().chain(penalties).any(Option::is_some);
        let counts = seed.is_some() || top_k.is_some() || self.repeat_last_n.is_some();
        numbers || counts || *greedy || *temperature_last || !self.logit_bias.is_empty()
    }

    /// What was given, and `defaults` where nothing was, with a seed drawn at random.
    pub fn fresh(&self, model: &Model) -> Result<Sampling> {
        self.over(model, model.sampling(0), drawn_seed)
    }

    /// What was given over what a session has.
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
                "a temperature of 0 is --greedy, which has no penalty: leave --penalty out, or give a --temperature \
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

/// 53 bits, which every reader of JSON keeps: many have no other numbers than f64.
fn drawn_seed() -> u64 {
    // The standard library has the system's random numbers for its hash tables.
    RandomState::new().build_hasher().finish() >> 11
}

/// When a text ends.
#[derive(clap::Args, Clone, Default)]
pub struct StopFlags {
    /// Stop before this text, which is not printed; again for several. One that never comes stops nothing.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub stop: Vec<String>,
    /// Stop at this token, given by its id or name; again for several.
    #[arg(long, value_name = "TOKEN")]
    pub stop_token: Vec<String>,
    /// Go on where the text ends.
    #[arg(long, conflicts_with = "end")]
    pub ignore_end: bool,
}

impl StopFlags {
    /// The parameters for the library.
    pub fn stop(&self, model: &Model) -> Result<Stop> {
        let mut stop = if self.ignore_end { Stop::new().ignore_end() } else { Stop::new() };
        for name in &self.stop_token {
            stop = stop.token(token(model, name).context("--stop-token")?);
        }
        ensure!(
            self.stop.is_empty() || model.tokenizer().is_some(),
            "--stop needs text: give --tokenizer, or --stop-token"
        );
        Ok(self.stop.iter().fold(stop, |stop, text| stop.text(text)))
    }
}
