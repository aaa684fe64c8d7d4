//! Text to tokens: bytes, or a BPE of our own training or from a file.

use crate::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};
use tokenizers::{TokenizerBuilder, TokenizerImpl};

use super::corpus::END_OF_TEXT;

type Bpe = TokenizerImpl<BPE, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// Which tokenizer: `byte`, `bpe:N`, or the path of a `tokenizer.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerKind {
    /// A token a byte; 0 ends a text.
    Byte,
    /// A byte-level BPE of N tokens, to be trained on the text; token 0 ends a text.
    Bpe(usize),
    /// A tokenizer that is there already; its `<|endoftext|>` ends a text.
    File(PathBuf),
}

impl FromStr for TokenizerKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.split_once(':') {
            None if name == "byte" => Ok(TokenizerKind::Byte),
            Some(("bpe", size)) => match size.parse() {
                // 256 bytes and the end of a text.
                Ok(size) if size > 256 => Ok(TokenizerKind::Bpe(size)),
                _ => Err(format!("bpe:{size}: N must be a number above 256")),
            },
            _ if name.ends_with(".json") => Ok(TokenizerKind::File(name.into())),
            _ => Err(format!("`{name}` is no tokenizer: use byte, bpe:N, or the path of a tokenizer.json")),
        }
    }
}

/// A tokenizer, ready.
pub enum Tokenizer {
    /// A token a byte.
    Byte,
    /// A BPE and its end of a text.
    #[allow(missing_docs, reason = "said above")]
    Bpe { bpe: Box<tokenizers::Tokenizer>, end: u32 },
}

impl Tokenizer {
    /// The tokenizer of `kind`; a BPE to be trained is trained on `stories`.
    ///
    /// # Errors
    /// Where a file is no tokenizer or has no end of a text, or the text is too small for so many tokens.
    pub fn new(kind: &TokenizerKind, stories: &[String]) -> Result<Tokenizer, Error> {
        match kind {
            TokenizerKind::Byte => Ok(Tokenizer::Byte),
            TokenizerKind::File(path) => Tokenizer::load(path),
            TokenizerKind::Bpe(size) => Tokenizer::train(*size, stories),
        }
    }

    /// The BPE in a `tokenizer.json`.
    ///
    /// # Errors
    /// Where it is none, or has no `<|endoftext|>`.
    pub fn load(path: &Path) -> Result<Tokenizer, Error> {
        let bytes = fs::read(path).map_err(Error::file("read", path))?;
        let bpe = tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| Error::content(path, error))?;
        let end = bpe.token_to_id(END_OF_TEXT);
        let end = end.ok_or_else(|| Error::content(path, format_args!("the tokenizer has no {END_OF_TEXT}")))?;
        Ok(Tokenizer::Bpe { bpe: Box::new(bpe), end })
    }

    /// The tokenizer that `data prepare` left in a folder: its `tokenizer.json`, or bytes.
    ///
    /// # Errors
    /// As [`load`](Tokenizer::load).
    pub fn of_folder(data: &Path) -> Result<Tokenizer, Error> {
        let path = data.join("tokenizer.json");
        if path.exists() { Tokenizer::load(&path) } else { Ok(Tokenizer::Byte) }
    }

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
                "the text gives a BPE of {found} tokens, not {size}: ask for {found} or fewer, or bring more text"
            )));
        }
        let json = bpe.to_string(false).map_err(failed)?;
        let bpe = tokenizers::Tokenizer::from_bytes(json).map_err(failed)?;
        let end =
            bpe.token_to_id(END_OF_TEXT).ok_or_else(|| Error::Refused("the BPE lost its end of a text".into()))?;
        Ok(Tokenizer::Bpe { bpe: Box::new(bpe), end })
    }

    /// How many tokens there are.
    pub fn vocab_size(&self) -> usize {
        match self {
            Tokenizer::Byte => 256,
            Tokenizer::Bpe { bpe, .. } => bpe.get_vocab_size(true),
        }
    }

    /// The token that ends a text.
    pub fn end(&self) -> u32 {
        match self {
            Tokenizer::Byte => 0,
            Tokenizer::Bpe { end, .. } => *end,
        }
    }

    /// The tokens of a text, its end not among them.
    ///
    /// # Errors
    /// Where the tokenizer of a file cannot tell.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        match self {
            Tokenizer::Byte => Ok(text.bytes().map(u32::from).collect()),
            Tokenizer::Bpe { bpe, .. } => {
                let encoding = bpe.encode_fast(text, false);
                let encoding = encoding.map_err(|error| Error::Refused(format!("cannot tokenize: {error}")))?;
                Ok(encoding.get_ids().to_vec())
            }
        }
    }

    /// The text of tokens; ends of texts have none. What is not UTF-8 becomes `U+FFFD`.
    ///
    /// # Errors
    /// Where the tokenizer of a file cannot tell.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        match self {
            Tokenizer::Byte => {
                let bytes = tokens.iter().map(|&token| u8::try_from(token).unwrap_or(u8::MAX));
                let bytes: Vec<u8> = bytes.filter(|&byte| byte != 0).collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Tokenizer::Bpe { bpe, .. } => {
                bpe.decode(tokens, true).map_err(|error| Error::Refused(format!("cannot make text of tokens: {error}")))
            }
        }
    }

    /// What to write beside the token files; none for bytes.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Option<String>, Error> {
        match self {
            Tokenizer::Byte => Ok(None),
            Tokenizer::Bpe { bpe, .. } => {
                bpe.to_string(true).map(Some).map_err(|error| Error::Refused(format!("the tokenizer: {error}")))
            }
        }
    }
}
