//! `bitstate logits`: what the model expects after some tokens.

use crate::load::ModelFlags;
use anyhow::Result;
use bitstate_protocol::Digest;
use serde::Serialize;
use std::io::{self, Write};

/// Print the logits after the last of some tokens.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    /// Token ids, separated by commas.
    #[arg(long, value_name = "IDS", value_delimiter = ',', required = true)]
    tokens: Vec<u32>,
    /// Print all of them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Logits<'a> {
    logits: &'a [f32],
    argmax: u32,
    digest: String,
    variant: &'a str,
}

pub fn run(flags: &Flags) -> Result<()> {
    let bytes = flags.model.read()?;
    let engine = flags.model.engine(&bytes)?;
    // Nothing of it is needed here, but a model in the place of another is an error everywhere.
    flags.model.described(&bytes)?;
    let mut state = engine.new_state();
    let mut logits = vec![0.0; engine.config().vocab_size];
    engine.prefill(&flags.tokens, &mut state, &mut logits)?;

    let answer = Logits {
        logits: &logits,
        argmax: engine.kernels().argmax(&logits),
        digest: Digest::of_f32s(&logits).to_string(),
        variant: engine.variant().name(),
    };
    let mut out = io::stdout().lock();
    if flags.json {
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        return Ok(());
    }
    let mut ranked: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    writeln!(out, "variant {}, digest of the logits {}", answer.variant, answer.digest)?;
    writeln!(out, "{:>8}  {:>12}", "token", "logit")?;
    for (token, logit) in ranked.iter().take(10) {
        writeln!(out, "{token:>8}  {logit:>12.6}")?;
    }
    Ok(())
}
