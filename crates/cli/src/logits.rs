//! `bitstate logits`: the logits after some tokens.

use crate::load::ModelFlags;
use crate::output;
use crate::prompt::{Ids, ids};
use anyhow::{Result, anyhow};
use bitstate::{Digest, Error, Sampling, SessionError};
use serde::Serialize;
use std::io::Write;

/// Print the logits after the last of some tokens.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    #[arg(long, value_name = "IDS", value_parser = ids, allow_negative_numbers = true, help = Ids::HELP)]
    tokens: Ids,
    /// Print all logits as JSON.
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
    let model = flags.model.open()?;
    let tokens = flags.tokens.read()?;
    let mut session = model.session(Sampling::greedy())?;
    session.feed(&tokens)?;
    let logits = session.logits().map_err(|error| match error {
        Error::Session { cause: SessionError::NotFinite { position, not_finite }, .. } => {
            anyhow!("{}: no logits at position {position}: {not_finite}", flags.model.model.display())
        }
        error => error.into(),
    })?;

    let answer = Logits {
        logits,
        argmax: model.engine().kernels().argmax(logits),
        digest: Digest::of_f32s(logits).to_string(),
        variant: model.variant().name(),
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
