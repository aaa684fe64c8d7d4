//! `bitstate logits`: what the model expects after some tokens.

use crate::load::ModelFlags;
use crate::output;
use crate::prompt::{Ids, ids};
use anyhow::{Result, anyhow};
use bitstate_engine::ForwardError;
use bitstate_protocol::Digest;
use serde::Serialize;
use std::io::Write;

/// Print the logits after the last of some tokens.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    #[arg(long, value_name = "IDS", value_parser = ids, allow_negative_numbers = true, help = Ids::HELP)]
    tokens: Ids,
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
    let tokens = flags.tokens.read()?;
    let done = engine.prefill(&tokens, &mut state, &mut logits);
    done.map_err(|error| match error {
        ForwardError::NotFinite(problem) => {
            anyhow!("{}: no logits at position {}: {problem}", flags.model.model.display(), tokens.len())
        }
        error => error.into(),
    })?;

    let answer = Logits {
        logits: &logits,
        argmax: engine.kernels().argmax(&logits),
        digest: Digest::of_f32s(&logits).to_string(),
        variant: engine.variant().name(),
    };
    let mut out = output::stdout();
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
