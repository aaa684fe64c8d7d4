//! `bitstate generate`: a prompt continued.

use crate::eval::per_second;
use crate::load::ModelFlags;
use crate::prompt::{Given, Prompt};
use crate::text::{TextFlags, explained, mended, note};
use crate::threads::Threads;
use crate::{numbers, output};
use anyhow::{Context, Result, anyhow, ensure};
use bitstate::text::Need;
use bitstate::tokenizer::Description;
use bitstate::{Error, Model, Sampling, Session, Stop};
use serde::Serialize;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::time::Instant;

/// Continue a prompt.
///
/// Text goes in and out by the model's tokenizer and ends with the text; without one, token ids work with any model.
/// An empty prompt begins a text. The same seed gives the same tokens on every machine, and the same for a prompt as for
/// its tokens.
///
/// A model may have a description, FILE.json beside FILE, as `convert` and `describe` write it: it names the tokenizer,
/// what ends a text, and the defaults of sampling. Without one, `--tokens` uses no tokenizer.json that lies beside the
/// model, the defaults of sampling depend on the number of the model's tokens alone, and 256 tokens are taken for bytes.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    prompt: Prompt,
    #[command(flatten)]
    text: TextFlags,
    /// Take special tokens that the prompt spells out, such as `<|endoftext|>`, for these tokens; they are text
    /// otherwise.
    #[arg(long, conflicts_with = "tokens")]
    parse_special: bool,
    /// How many tokens to generate at most.
    #[arg(long, value_name = "N", default_value = "64", value_parser = numbers::count, allow_negative_numbers = true)]
    max_tokens: u32,
    /// Go on where the text ends.
    #[arg(long, conflicts_with = "end")]
    ignore_end: bool,
    /// Always take the likeliest token.
    #[arg(long, conflicts_with_all = ["seed", "temperature", "top_k", "top_p", "penalty"])]
    greedy: bool,
    /// Seed of the sampler, a whole number below 2^64; drawn at random below 2^53, and reported, if not given.
    #[arg(long, value_name = "N", value_parser = numbers::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Below 1 likely tokens gain, above 1 they lose, 0 is --greedy; 0.8 if neither this nor the model's description says
    /// it.
    #[arg(long, value_name = "T", value_parser = numbers::temperature, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Keep this many of the likeliest tokens; 0 keeps all; 50 if neither this nor the model's description says it.
    #[arg(long, value_name = "K", value_parser = numbers::count, allow_negative_numbers = true)]
    top_k: Option<u32>,
    /// Keep this share of the probability; 0.9 if neither this nor the model's description says it.
    #[arg(long, value_name = "P", value_parser = numbers::share, allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Penalty on tokens seen before, 1 for none; if neither this nor the model's description says it, 1.1, and none
    /// for a model of 256 tokens, which are taken for bytes: letters come back in any text.
    #[arg(long, value_name = "F", value_parser = numbers::penalty, allow_negative_numbers = true)]
    penalty: Option<f32>,
    /// Threads that share the head of a large model: a number, or `auto` for every core; the tokens are the same.
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true)]
    threads: Threads,
    /// Print one JSON object at the end instead of text as it comes.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Generated {
    tokens: Vec<u32>,
    /// None where the model's tokens have no text.
    text: Option<String>,
    tokens_per_second: f64,
    seed: Option<u64>,
    variant: &'static str,
    /// Threads that a token was divided among: 1 where the model is too small for more to gain.
    threads: usize,
}

pub fn run(flags: &Flags) -> Result<()> {
    let model = flags.open()?;
    let prompt = flags.read_prompt(&model)?;
    if !flags.ignore_end && model.tokenizer().is_some() && model.ends().is_empty() {
        note("no token is known to end a text, so that all of --max-tokens is generated; --end names one");
    }
    let (sampling, seed) = flags.sampling(&model)?;
    let mut session = model.session(sampling)?;
    session.feed(&prompt)?;
    let mut out = output::stdout();
    let start = Instant::now();
    let tokens = flags.generate(&mut session, &mut out)?;
    let seconds = start.elapsed().as_secs_f64();
    let tokens_per_second = per_second(tokens.len(), seconds);
    let (variant, threads) = (model.variant().name(), model.threads());

    if flags.json {
        let text = model.tokenizer().map(|tokenizer| tokenizer.decode(&tokens));
        let generated = Generated { tokens, text, tokens_per_second, seed, variant, threads };
        writeln!(out, "{}", serde_json::to_string(&generated)?)?;
        return Ok(());
    }
    writeln!(out, "{}", session.finish_text())?;
    let seed = seed.map_or(String::new(), |seed| format!(", --seed {seed}"));
    let n = tokens.len();
    let threads = flags.threads.used(threads);
    output::say(format_args!("{n} tokens, {tokens_per_second:.0} a second, --variant {variant}{threads}{seed}"));
    Ok(())
}

impl Flags {
    /// The model, with a tokenizer if the prompt is text.
    fn open(&self) -> Result<Model> {
        let need = if self.prompt.is_text() { Need::Text } else { Need::Ids };
        let model = self.model.open_for(&self.text, need, self.threads.count()?);
        // Ids need none of what may be wrong with a tokenizer, where no description speaks for it.
        let described = Description::path(&self.model.model).exists();
        model.map_err(|error| match error {
            Error::Text(error) if need == Need::Text && !described => {
                anyhow!("{:#}; or give token ids as --tokens", mended(*error))
            }
            error => explained(error),
        })
    }

    /// The tokens of the prompt.
    fn read_prompt(&self, model: &Model) -> Result<Vec<u32>> {
        let prompt = match self.prompt.read()? {
            Given::Text(text) => text,
            Given::Tokens(tokens) => return Ok(tokens),
        };
        let mut tokenizer = model.tokenizer().context("text needs a tokenizer")?.clone();
        tokenizer.parse_special(self.parse_special);
        match prompt.is_empty() {
            true => Ok(vec![tokenizer.end().context("an empty prompt begins a text")?]),
            false => tokenizer.encode(&prompt).context("the prompt"),
        }
    }

    /// How tokens are chosen, and the seed where they are drawn.
    fn sampling(&self, model: &Model) -> Result<(Sampling, Option<u64>)> {
        let defaults = model.sampling(0);
        let temperature = self.temperature.unwrap_or(defaults.temperature);
        if self.greedy || temperature == 0.0 {
            ensure!(
                self.penalty.is_none_or(|penalty| penalty == 1.0),
                "a temperature of 0 is --greedy, which has no penalty: leave --penalty out, or give a --temperature \
                 above 0"
            );
            return Ok((Sampling::greedy(), None));
        }
        let seed = self.seed.unwrap_or_else(drawn_seed);
        let sampling = Sampling {
            seed,
            temperature,
            top_k: self.top_k.unwrap_or(defaults.top_k),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            penalty: self.penalty.unwrap_or(defaults.penalty),
            ..defaults
        };
        Ok((sampling, Some(seed)))
    }

    /// The tokens, printed as they come unless they are wanted as JSON.
    fn generate(&self, session: &mut Session, out: &mut impl Write) -> Result<Vec<u32>> {
        let stop = Stop::new().max_tokens(self.max_tokens.into());
        let stop = if self.ignore_end { stop.ignore_end() } else { stop };
        let has_text = session.model().tokenizer().is_some();
        let mut tokens = Vec::new();
        for token in session.tokens(stop) {
            let token = token?;
            tokens.push(token.id);
            if !self.json {
                match has_text {
                    true => write!(out, "{}", token.piece)?,
                    false => write!(out, "{} ", token.id)?,
                }
                out.flush()?;
            }
        }
        Ok(tokens)
    }
}

/// 53 bits, which every reader of JSON keeps: many have no other numbers than f64.
fn drawn_seed() -> u64 {
    // The standard library has the system's random numbers for its hash tables.
    RandomState::new().build_hasher().finish() >> 11
}
