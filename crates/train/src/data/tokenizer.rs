//! Sources of a tokenizer: bytes, a newly trained BPE, or a file.

use crate::error::Error;
use bitstate_tokenizer::{END_OF_TEXT, Tokenizer};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};
use tokenizers::{TokenizerBuilder, TokenizerImpl};

/// Largest vocabulary of a BPE.
const MOST_TOKENS: usize = 1_000_000;

type Bpe = TokenizerImpl<BPE, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// A tokenizer: `byte`, `bpe:N`, or the path of a `tokenizer.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerKind {
    /// One token per byte; 0 ends a text.
    Byte,
    /// A byte-level BPE of N tokens, to be trained on the text; token 0 ends a text.
    Bpe(usize),
    /// An existing tokenizer.
    File(PathBuf),
}

impl FromStr for TokenizerKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.split_once(':') {
            None if name == "byte" => Ok(TokenizerKind::Byte),
            Some(("bpe", size)) => match size.parse() {
                // 256 bytes and the end-of-text token.
                Ok(size @ 257..=MOST_TOKENS) => Ok(TokenizerKind::Bpe(size)),
                _ => Err(format!("bpe:{size}: N must be a number from 257 to {MOST_TOKENS}")),
            },
            _ if name.ends_with(".json") => Ok(TokenizerKind::File(name.into())),
            _ => Err(format!("`{name}` is not a tokenizer: use byte, bpe:N, or the path of a tokenizer.json")),
        }
    }
}

impl TokenizerKind {
    /// The tokenizer; a BPE to be trained is trained on `stories`.
    ///
    /// # Errors
    /// If a file is not a tokenizer, or the text is too small for this many tokens.
    pub fn tokenizer(&self, stories: &[String]) -> Result<Tokenizer, Error> {
        match self {
            TokenizerKind::Byte => Ok(Tokenizer::byte()),
            TokenizerKind::File(path) => load_tokenizer(path),
            TokenizerKind::Bpe(size) => train(*size, stories),
        }
    }
}

/// The tokenizer of the `tokenizer.json` at `path`. The end-of-text token comes from the files beside it, or from the
/// names of its tokens.
///
/// # Errors
/// If it is malformed, or a file beside it names a token that it lacks.
pub fn load_tokenizer(path: &Path) -> Result<Tokenizer, Error> {
    let mut tokenizer = Tokenizer::open(path)?;
    tokenizer.find_ends(path)?;
    Ok(tokenizer)
}

/// A byte-level BPE of `size` tokens.
fn train(size: usize, stories: &[String]) -> Result<Tokenizer, Error> {
    let failed = |error: tokenizers::Error| Error::Refused(format!("cannot train a BPE: {error}"));
    let level = ByteLevel::new(false, true, true);
    let mut bpe: Bpe = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(level)))
        .with_post_processor(None)
        .with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::default())))
        .build()
        .map_err(failed)?;
    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    bpe.train(&mut trainer, stories.iter().map(String::as_str)).map_err(failed)?;
    let found = bpe.get_vocab_size(true);
    if found != size {
        return Err(Error::Refused(format!(
            "the text gives a BPE of {found} tokens, not {size}: use {found} or fewer, or more text"
        )));
    }
    Ok(Tokenizer::from_json(bpe.to_string(false).map_err(failed)?.as_bytes())?)
}
