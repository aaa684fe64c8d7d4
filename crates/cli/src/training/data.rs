//! `bitstate data`: prepares texts for training.

use super::write_out_in_folder;
use crate::{numbers, output};
use anyhow::Result;
use bitstate::tokenizer::END_OF_TEXT;
use bitstate_train::data::{Prepare, Side, TokenizerKind, prepare, smoke_corpus};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Prepare texts for training.
#[derive(clap::Args)]
pub struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Prepare(PrepareFlags),
    Smoke(SmokeFlags),
    Make(super::make::Flags),
}

/// Convert texts to token files, with some of the stories held out.
///
/// Texts are UTF-8 with `<|endoftext|>` between stories; or .jsonl and .ndjson files with one object per line that has a
/// `text` or a `story`; or .json files with lists of such objects. A byte order mark is removed, CR LF becomes LF. Other
/// special tokens that occur in a text are plain text.
#[derive(clap::Args)]
struct PrepareFlags {
    /// Texts to train on.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "download")]
    input: Vec<PathBuf>,
    /// Download a corpus into the folder first and use it as the input and the held-out text.
    #[arg(long, value_name = "CORPUS", conflicts_with_all = ["input", "valid"])]
    download: Option<Corpus>,
    /// Download from a mirror of the corpus.
    #[arg(long, value_name = "URL", requires = "download", conflicts_with = "input")]
    mirror: Option<String>,
    /// Held-out texts; without any, stories of the input are held out.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    valid: Vec<PathBuf>,
    /// `byte`, `bpe:N` for N tokens trained on the texts, or a tokenizer.json.
    #[arg(long, value_name = "KIND", default_value = "byte")]
    tokenizer: TokenizerKind,
    /// The token of a tokenizer.json that ends a text, by its name or id. Default: the one in tokenizer_config.json,
    /// special_tokens_map.json and generation_config.json next to it, else a token with a usual name, such as
    /// `<|endoftext|>` or `</s>`.
    #[arg(long, value_name = "TOKEN")]
    end: Option<String>,
    /// Fraction of the stories to hold out.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    held_out: f64,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// A corpus that can be downloaded.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Corpus {
    /// Short stories for small children, 1.9 GB; its licence: see the card of `roneneldan/TinyStories`.
    #[value(name = "tinystories")]
    TinyStories,
}

/// Generate small stories to try training with.
#[derive(clap::Args)]
struct SmokeFlags {
    /// Number of stories.
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
                writeln!(said, "{} of the held-out stories also occur in the training text", made.in_both)?;
            }
            writeln!(said, "{} tokens in the vocabulary; written to {}", made.vocab_size, out.display())?;
            Ok(())
        }
        Command::Make(flags) => super::make::run(flags),
        Command::Smoke(SmokeFlags { stories, seed, out }) => {
            let text = smoke_corpus(*stories as usize, *seed).join(&format!("\n{END_OF_TEXT}\n"));
            write_out_in_folder(out, format!("{text}\n").as_bytes())
        }
    }
}

/// Downloads the two texts of TinyStories: for training, and held-out.
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
    // The small one first: problems show sooner.
    let valid = load(valid)?;
    Ok((load(train)?, valid))
}

#[cfg(not(feature = "download"))]
fn tiny_stories(_: Option<&str>, _: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    anyhow::bail!(
        "this bitstate was built without an HTTP client: --download requires a build with --features download"
    )
}
