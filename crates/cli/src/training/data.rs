//! `bitstate data`: texts made ready for training.

use anyhow::{Context, Result};
use bitstate_train::data::{END_OF_TEXT, Prepare, Side, TokenizerKind, prepare, smoke_corpus};
use std::fs;
use std::path::PathBuf;

/// Make texts ready for training.
#[derive(clap::Args)]
pub struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Prepare(PrepareFlags),
    Smoke(SmokeFlags),
}

/// Turn texts into token files, part of the stories held out.
///
/// Texts are UTF-8 with `<|endoftext|>` between two stories, or JSON lists of objects with a `story`.
#[derive(clap::Args)]
struct PrepareFlags {
    /// Texts to train on.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    input: Vec<PathBuf>,
    /// Texts to hold out; without any, stories of the input are held out.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    valid: Vec<PathBuf>,
    /// `byte`, `bpe:N` for N tokens trained on the texts, or a tokenizer.json.
    #[arg(long, value_name = "KIND", default_value = "byte")]
    tokenizer: TokenizerKind,
    /// Share of the stories to hold out.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    held_out: f64,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Write small made-up stories, to try training with.
#[derive(clap::Args)]
struct SmokeFlags {
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    stories: usize,
    /// The same seed gives the same stories.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(flags: &Flags) -> Result<()> {
    match &flags.command {
        Command::Prepare(flags) => {
            let PrepareFlags { input, valid, tokenizer, held_out, out } = flags;
            let job = Prepare {
                inputs: input.clone(),
                valid: valid.clone(),
                held_out: *held_out,
                tokenizer: tokenizer.clone(),
                out: out.clone(),
            };
            let made = prepare(&job)?;
            for (name, side) in [("train", made.train), ("valid", made.valid)] {
                let Side { stories, tokens, bytes } = side;
                println!("{name}: {stories} stories, {bytes} bytes, {tokens} tokens");
            }
            println!("{} tokens in the vocabulary; written to {}", made.vocab_size, out.display());
            Ok(())
        }
        Command::Smoke(SmokeFlags { stories, seed, out }) => {
            let text = smoke_corpus(*stories, *seed).join(&format!("\n{END_OF_TEXT}\n"));
            fs::write(out, text + "\n").with_context(|| format!("cannot write {}", out.display()))
        }
    }
}
