//! What text is to a model: its tokenizer, and whether the two belong together.

use anyhow::{Context, Result, ensure};
use bitstate_tokenizer::Tokenizer;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the tokenizer comes from.
#[derive(clap::Args)]
pub struct TokenizerFlags {
    /// `byte`, or the tokenizer.json that the model was trained with; the tokenizer.json beside the model, or `byte`
    /// where there is none, if not given.
    #[arg(long, value_name = "KIND")]
    tokenizer: Option<String>,
}

impl TokenizerFlags {
    /// Whether it was asked for.
    pub fn given(&self) -> bool {
        self.tokenizer.is_some()
    }

    /// The tokenizer of the model at `model`.
    pub fn load(&self, model: &Path) -> Result<Tokenizer> {
        let path = match &self.tokenizer {
            Some(kind) if kind == "byte" => return Ok(Tokenizer::Byte),
            Some(path) => PathBuf::from(path),
            None => match model.with_file_name("tokenizer.json") {
                beside if beside.exists() => beside,
                _ => return Ok(Tokenizer::Byte),
            },
        };
        let bytes = fs::read(&path).with_context(|| format!("cannot read the tokenizer {}", path.display()))?;
        Tokenizer::from_json(&bytes).with_context(|| path.display().to_string())
    }
}

/// That a model has a token for everything that the tokenizer may say, and not bytes where it wants something else.
pub fn fits(tokenizer: &Tokenizer, vocab_size: usize, model: &Path) -> Result<()> {
    let (tokens, model) = (tokenizer.vocab_size(), model.display());
    ensure!(
        vocab_size >= tokens,
        "{model} has {vocab_size} tokens and the tokenizer {tokens}: it was not trained with it"
    );
    ensure!(
        vocab_size == tokens || !matches!(tokenizer, Tokenizer::Byte),
        "{model} has {vocab_size} tokens, which are not bytes: give the tokenizer.json that it was trained with as \
         --tokenizer"
    );
    Ok(())
}
