//! `bitstate eval`: how well a model knows a text.

use crate::load::ModelFlags;
use anyhow::{Context, Result, ensure};
use bitstate_engine::{Engine, State};
use bitstate_generate::ByteTokenizer;
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

/// What stands between two stories of a text file.
const END_OF_TEXT: &str = "<|endoftext|>";
/// The token that ends a text of bytes, as the trainer writes it.
const END: u32 = 0;

/// Measure how well a model predicts a text: nats a token, bits a byte, perplexity.
///
/// Stories, with `<|endoftext|>` between two, are stripped of white space around them; each is predicted from the end
/// of the one before to its own end. Bits are those of all tokens, ends included; bytes are those of the stories.
/// For models of 256 tokens, a byte each.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    /// UTF-8 text.
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Start every story from an empty state instead of the one that the story before has left.
    #[arg(long)]
    restart: bool,
    /// Only the first N stories.
    #[arg(long, value_name = "N")]
    stories: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Quality {
    stories: usize,
    tokens: usize,
    bytes: usize,
    nats_per_token: f64,
    bits_per_byte: f64,
    perplexity: f64,
    tokens_per_second: f64,
    variant: &'static str,
}

pub fn run(flags: &Flags) -> Result<()> {
    let bytes = flags.model.read()?;
    let engine = flags.model.engine(&bytes)?;
    let vocab_size = engine.config().vocab_size;
    ensure!(vocab_size == 256, "eval reads a byte a token, and this model has {vocab_size} tokens");
    let text = fs::read(&flags.text).with_context(|| format!("cannot read {}", flags.text.display()))?;
    let text = String::from_utf8(text).with_context(|| format!("{} is not UTF-8", flags.text.display()))?;
    let stories = text.split(END_OF_TEXT).map(str::trim).filter(|story| !story.is_empty());
    let stories: Vec<&str> = stories.take(flags.stories.unwrap_or(usize::MAX)).collect();
    ensure!(!stories.is_empty(), "there is no story in {}", flags.text.display());

    let tokenizer = ByteTokenizer::new(vocab_size)?;
    let mut listener = Listener { engine: &engine, state: engine.new_state(), logits: vec![0.0; vocab_size] };
    let (mut nats, mut tokens) = (0.0, 0);
    let start = Instant::now();
    for story in &stories {
        if flags.restart {
            listener.state = engine.new_state();
        }
        let mut before = END;
        for next in tokenizer.encode(story).into_iter().chain([END]) {
            nats += listener.surprise(before, next)?;
            before = next;
            tokens += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let bytes: usize = stories.iter().map(|story| story.len()).sum();
    let nats_per_token = nats / tokens as f64;
    let quality = Quality {
        stories: stories.len(),
        tokens,
        bytes,
        nats_per_token,
        bits_per_byte: nats / std::f64::consts::LN_2 / bytes as f64,
        perplexity: nats_per_token.exp(),
        tokens_per_second: tokens as f64 / seconds,
        variant: engine.variant().name(),
    };
    let mut out = io::stdout().lock();
    if flags.json {
        writeln!(out, "{}", serde_json::to_string(&quality)?)?;
        return Ok(());
    }
    let Quality { bits_per_byte, perplexity, tokens_per_second, variant, .. } = quality;
    writeln!(out, "{bits_per_byte:.4} bits a byte, {nats_per_token:.4} nats a token, perplexity {perplexity:.3}")?;
    let count = stories.len();
    writeln!(out, "{count} stories, {bytes} bytes, {tokens} tokens; {tokens_per_second:.0} tokens/s, {variant}")?;
    Ok(())
}

/// A session that is surprised by what comes.
struct Listener<'e, 'm> {
    engine: &'e Engine<'m>,
    state: State,
    logits: Vec<f32>,
}

impl Listener<'_, '_> {
    /// `-ln p(next)` behind `token`.
    fn surprise(&mut self, token: u32, next: u32) -> Result<f64> {
        self.engine.forward(token, &mut self.state, &mut self.logits)?;
        let max = self.logits.iter().fold(f32::NEG_INFINITY, |max, &l| max.max(l));
        let sum: f64 = self.logits.iter().map(|l| f64::from(l - max).exp()).sum();
        Ok(sum.ln() + f64::from(max) - f64::from(self.logits[next as usize]))
    }
}
