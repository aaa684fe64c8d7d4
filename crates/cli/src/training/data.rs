//! `bitstate data`: texts made ready for training.

use super::write_out_in_folder;
use crate::{numbers, output};
use anyhow::Result;
use bitstate::tokenizer::END_OF_TEXT;
use bitstate_train::data::{Prepare, Side, TokenizerKind, prepare, smoke_corpus};
use std::io::Write;
use std::path::{Path, PathBuf};

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
/// Texts are UTF-8 with `<|endoftext|>` between two stories; or .jsonl and .ndjson files, an object with a `text` or a
/// `story` a line; or .json files, lists of such objects. A byte order mark is removed, CR LF becomes LF. Other special
/// tokens that a text spells out are text.
#[derive(clap::Args)]
struct PrepareFlags {
    /// Texts to train on.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "download")]
    input: Vec<PathBuf>,
    /// Load a corpus into the folder first and use it as the input and what is held out.
    #[arg(long, value_name = "CORPUS", conflicts_with_all = ["input", "valid"])]
    download: Option<Corpus>,
    /// Load from a copy of the corpus in another place.
    #[arg(long, value_name = "URL", requires = "download", conflicts_with = "input")]
    mirror: Option<String>,
    /// Texts to hold out; without any, stories of the input are held out.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    valid: Vec<PathBuf>,
    /// `byte`, `bpe:N` for N tokens trained on the texts, or a tokenizer.json.
    #[arg(long, value_name = "KIND", default_value = "byte")]
    tokenizer: TokenizerKind,
    /// The token of a tokenizer.json that ends a text, by its name or id. If not given: what tokenizer_config.json,
    /// special_tokens_map.json and generation_config.json beside it say, else a token with a usual name, such as
    /// `<|endoftext|>` or `</s>`.
    #[arg(long, value_name = "TOKEN")]
    end: Option<String>,
    /// Share of the stories to hold out.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    held_out: f64,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What can be loaded.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Corpus {
    /// Short stories for small children, 1.9 GB; its licence: see the card of `roneneldan/TinyStories`.
    #[value(name = "tinystories")]
    TinyStories,
}

/// Write small made-up stories, to try training with.
#[derive(clap::Args)]
struct SmokeFlags {
    /// How many.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = numbers::positive, allow_negative_numbers = true)]
    stories: u32,
    /// The same seed gives the same stories.
    #[arg(long, value_name = "N", default_value = "1", value_parser = numbers::seed, allow_negative_numbers = true)]
    seed: u64,
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(flags: &Flags) -> Result<()> {
    match &flags.command {
        Command::Prepare(flags) => {
            let PrepareFlags { input, valid, tokenizer, end, held_out, out, .. } = flags;
            let (inputs, valid) = match flags.download {
                None => (input.clone(), valid.clone()),
                Some(Corpus::TinyStories) => tiny_stories(flags.mirror.as_deref(), out)?,
            };
            let (tokenizer, end) = (tokenizer.clone(), end.clone());
            let job = Prepare { inputs, valid, held_out: *held_out, tokenizer, end, out: out.clone() };
            let made = prepare(&job)?;
            let mut said = output::stdout();
            for (name, side) in [("train", made.train), ("valid", made.valid)] {
                let Side { stories, tokens, bytes } = side;
                writeln!(said, "{name}: {stories} stories, {bytes} bytes, {tokens} tokens")?;
            }
            if made.in_both > 0 {
                writeln!(said, "{} of the stories held out are in the text to train on, too", made.in_both)?;
            }
            writeln!(said, "{} tokens in the vocabulary; written to {}", made.vocab_size, out.display())?;
            Ok(())
        }
        Command::Smoke(SmokeFlags { stories, seed, out }) => {
            let text = smoke_corpus(*stories as usize, *seed).join(&format!("\n{END_OF_TEXT}\n"));
            write_out_in_folder(out, format!("{text}\n").as_bytes())
        }
    }
}

/// Loads the two texts of TinyStories: to train on, and to hold out.
#[cfg(feature = "download")]
fn tiny_stories(mirror: Option<&str>, folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    use bitstate_train::data::download::{TINY_STORIES, TINY_STORIES_FILES, download};
    use indicatif::{ProgressBar, ProgressStyle};
    let load = |name: &str| -> Result<Vec<PathBuf>> {
        let bar = ProgressBar::no_length();
        bar.set_style(ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}, {eta} left")?);
        bar.set_message(name.to_string());
        let path = download(mirror.unwrap_or(TINY_STORIES), name, folder, &mut |have, of| {
            bar.set_position(have);
            if let Some(of) = of {
                bar.set_length(of);
            }
        })?;
        bar.finish_and_clear();
        Ok(vec![path])
    };
    let [train, valid] = TINY_STORIES_FILES;
    // The small one first: where something is wrong, it shows sooner.
    let valid = load(valid)?;
    Ok((load(train)?, valid))
}

#[cfg(not(feature = "download"))]
fn tiny_stories(_: Option<&str>, _: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    anyhow::bail!("this bitstate was built without an HTTP client: for --download build it with --features download")
}
