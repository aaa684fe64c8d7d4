//! `bitstate generate`: a prompt continued.

use crate::load::ModelFlags;
use crate::text::{TokenizerFlags, fits};
use crate::threads::Threads;
use anyhow::{Result, anyhow};
use bitstate_generate::{Sampling, Session};
use bitstate_threads::{Pool, Workers};
use bitstate_tokenizer::Tokenizer;
use serde::Serialize;
use std::io::{self, Write};
use std::time::{Instant, SystemTime};

/// Continue a prompt.
///
/// Text goes in and out by the model's tokenizer and ends with the text; without one, token ids work with any model.
/// An empty prompt begins a text. The same seed gives the same tokens on every machine.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    prompt: Prompt,
    #[command(flatten)]
    tokenizer: TokenizerFlags,
    /// How many tokens to generate at most.
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_tokens: u32,
    /// Go on where the text ends.
    #[arg(long)]
    ignore_end: bool,
    /// Always take the likeliest token.
    #[arg(long, conflicts_with_all = ["seed", "temperature", "top_k", "top_p", "penalty"])]
    greedy: bool,
    /// Seed of the sampler; drawn from the clock, and reported, if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Below 1 likely tokens gain, above 1 they lose.
    #[arg(long, default_value_t = 0.8)]
    temperature: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all.
    #[arg(long, value_name = "K", default_value_t = 50)]
    top_k: u32,
    /// Keep this share of the probability.
    #[arg(long, value_name = "P", default_value_t = 0.9)]
    top_p: f32,
    /// Penalty on tokens seen before, 1 for none; 1.1 if not given, and none where tokens are bytes, for letters come
    /// back.
    #[arg(long)]
    penalty: Option<f32>,
    /// Threads that share the head of a large model: a number, or `auto` for every core; the tokens are the same.
    #[arg(long, value_name = "N", default_value = "1")]
    threads: Threads,
    /// Print one JSON object at the end instead of text as it comes.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Prompt {
    /// Text to continue.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Token ids to continue, separated by commas.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    tokens: Vec<u32>,
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
    let bytes = flags.model.read()?;
    let mut engine = flags.model.engine(&bytes)?;
    let pool = flags.threads.pool(&engine)?;
    engine.set_workers(pool.as_ref().map(|pool| pool as &dyn Workers));
    let threads = pool.as_ref().map_or(1, Pool::threads);
    let vocab_size = engine.config().vocab_size;
    let tokenizer = flags.tokenizer(vocab_size)?;
    let prompt = match (&flags.prompt.prompt, &tokenizer) {
        (Some(text), Some(tokenizer)) if text.is_empty() => vec![tokenizer.end()],
        (Some(text), Some(tokenizer)) => tokenizer.encode(text)?,
        _ => flags.prompt.tokens.clone(),
    };
    let end = tokenizer.as_ref().filter(|_| !flags.ignore_end).map(Tokenizer::end);
    let seed = (!flags.greedy).then(|| flags.seed.unwrap_or_else(clock_seed));
    let sampling = seed.map_or(Sampling::Greedy, |seed| Sampling::Seeded {
        seed,
        temperature: flags.temperature,
        top_k: flags.top_k,
        top_p: flags.top_p,
        penalty: flags.penalty.unwrap_or(if matches!(tokenizer, Some(Tokenizer::Byte)) { 1.0 } else { 1.1 }),
    });

    let mut session = Session::new(&engine, sampling)?;
    session.feed(&prompt)?;
    let mut tokens = Vec::new();
    let mut out = io::stdout().lock();
    let mut decoder = tokenizer.as_ref().map(Tokenizer::decoder);
    let start = Instant::now();
    for i in 1..=flags.max_tokens {
        let token = session.choose()?;
        if Some(token) == end {
            break;
        }
        tokens.push(token);
        if !flags.json {
            match &mut decoder {
                Some(decoder) => write!(out, "{}", decoder.push(token)?)?,
                None => write!(out, "{token} ")?,
            }
            out.flush()?;
        }
        if i < flags.max_tokens {
            session.advance(token)?;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let tokens_per_second = if tokens.is_empty() { 0.0 } else { tokens.len() as f64 / seconds };

    if flags.json {
        let text = tokenizer.as_ref().map(|tokenizer| tokenizer.decode(&tokens)).transpose()?;
        let variant = engine.variant().name();
        let generated = Generated { tokens, text, tokens_per_second, seed, variant, threads };
        writeln!(out, "{}", serde_json::to_string(&generated)?)?;
        return Ok(());
    }
    writeln!(out, "{}", decoder.map(|mut decoder| decoder.finish()).unwrap_or_default())?;
    let seed = seed.map_or(String::new(), |seed| format!(", --seed {seed}"));
    let (n, variant) = (tokens.len(), engine.variant().name());
    let threads = flags.threads.used(threads);
    eprintln!("{n} tokens, {tokens_per_second:.0} a second, --variant {variant}{threads}{seed}");
    Ok(())
}

impl Flags {
    /// The tokenizer, where the model has one: token ids alone need none.
    fn tokenizer(&self, vocab_size: usize) -> Result<Option<Tokenizer>> {
        let model = &self.model.model;
        let found = self.tokenizer.load(model).and_then(|found| fits(&found, vocab_size, model).map(|()| found));
        match found {
            Ok(tokenizer) => Ok(Some(tokenizer)),
            Err(_) if self.prompt.prompt.is_none() && !self.tokenizer.given() => Ok(None),
            Err(error) => Err(anyhow!("{error:#}; or give token ids as --tokens")),
        }
    }
}

fn clock_seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
