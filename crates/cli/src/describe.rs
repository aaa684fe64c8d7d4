//! `bitstate describe`: the description of a model.

use crate::load;
use crate::output::{summarise, write_out};
use crate::text::{TextFlags, note};
use anyhow::{Result, anyhow};
use bitstate::text::Subject;
use bitstate::tokenizer::{Description, Sampling, Tokenizer, sha256};
use std::path::{Path, PathBuf};

/// Write the description of a model, which binds it to its tokenizer.
///
/// The description of FILE is FILE.json: the SHA-256 of the model and of its tokenizer.json, the tokens that end a text,
/// and the sampling defaults, which can be edited there. A command that opens the model checks it and rejects another
/// model or tokenizer. An older description is replaced. `convert` writes one with every model.
#[derive(clap::Args)]
pub struct Flags {
    /// The BITS file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    text: TextFlags,
    /// Name of the model; by default, its file name without the extension.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub fn run(flags: &Flags) -> Result<()> {
    let path = &flags.model;
    let bytes = load::read(path)?;
    let vocab_size = load::parse(path, &bytes)?.config.vocab_size;
    let tokenizer = flags.text.for_text(Subject { path, vocab_size, description: None })?;
    if tokenizer.ends().is_empty() {
        note("no end-of-text token is known; use --end to name one");
    }
    let description = describe(path, &bytes, flags.name.as_deref(), &tokenizer, vocab_size)?;
    let out = Description::path(path);
    write_out(&out, description.to_json()?.as_bytes())?;
    summarise(&out, &format!("{}: {}, tokenizer {}", out.display(), description.name, description.tokenizer))
}

/// The description of the model `bytes` in the file `path`, with the end tokens of the tokenizer.
pub fn describe(
    path: &Path,
    bytes: &[u8],
    name: Option<&str>,
    tokenizer: &Tokenizer,
    vocab_size: usize,
) -> Result<Description> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let (digest, ends) = (tokenizer.digest().into(), tokenizer.ends().to_vec());
    Description::new(name.unwrap_or(&stem), sha256(bytes), digest, ends, Sampling::of(vocab_size))
        .map_err(|problem| anyhow!("cannot describe {}: {problem}", path.display()))
}
