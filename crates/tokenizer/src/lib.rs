//! Text to tokens and back: one token a byte, or the `tokenizer.json` that a model was trained with.
#![forbid(unsafe_code)]

mod byte;

pub use byte::{ByteDecoder, ByteTokenizer};

use tokenizers::tokenizer::DecodeStream;
use tokenizers::{
    DecoderWrapper, ModelWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer as Json,
};

/// What ends a text, and stands between two in a file of several.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Why text and tokens do not come together.
#[derive(Debug, thiserror::Error)]
pub enum TokenizeError {
    /// Not what the `tokenizers` library writes.
    #[error("not a tokenizer.json: {0}")]
    NotJson(tokenizers::Error),
    /// No token ends a text.
    #[error("the tokenizer has no {END_OF_TEXT}")]
    NoEnd,
    /// What the byte tokenizer ends a text with stands in it.
    #[error("byte {0} is U+0000, which stands for the end of a text")]
    Zero(usize),
    /// A part of the tokenizer does not do what it says.
    #[error("the tokenizer fails: {0}")]
    Fails(tokenizers::Error),
}

/// The stories of a text, between which [`END_OF_TEXT`] stands. White space around a story is taken off, empty stories
/// are left out.
///
/// # Errors
/// Where the text holds U+0000, with its place.
pub fn stories(text: &str) -> Result<Vec<&str>, TokenizeError> {
    if let Some(at) = text.find('\0') {
        return Err(TokenizeError::Zero(at));
    }
    Ok(text.split(END_OF_TEXT).map(str::trim).filter(|story| !story.is_empty()).collect())
}

/// A tokenizer, ready.
#[derive(Debug, Clone)]
pub enum Tokenizer {
    /// A token a byte; 0 ends a text.
    Byte,
    /// That of a `tokenizer.json`, and the token that ends a text.
    Json(Box<Json>, u32),
}

impl Tokenizer {
    /// That of the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// Where they are none, or no token of it is `<|endoftext|>`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizeError> {
        let json = Json::from_bytes(bytes).map_err(TokenizeError::NotJson)?;
        let end = json.token_to_id(END_OF_TEXT).ok_or(TokenizeError::NoEnd)?;
        Ok(Tokenizer::Json(Box::new(json), end))
    }

    /// How many tokens there are.
    pub fn vocab_size(&self) -> usize {
        match self {
            Tokenizer::Byte => 256,
            Tokenizer::Json(json, _) => json.get_vocab_size(true),
        }
    }

    /// The token that ends a text.
    pub fn end(&self) -> u32 {
        match self {
            Tokenizer::Byte => 0,
            Tokenizer::Json(_, end) => *end,
        }
    }

    /// The tokens of `text`, its end not among them.
    ///
    /// # Errors
    /// Where a part of a `tokenizer.json` fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        match self {
            Tokenizer::Byte => Ok(ByteTokenizer.encode(text)),
            Tokenizer::Json(json, _) => {
                let encoding = json.encode_fast(text, false).map_err(TokenizeError::Fails)?;
                Ok(encoding.get_ids().to_vec())
            }
        }
    }

    /// The text of `tokens`; ends of texts have none. What is not UTF-8 becomes `U+FFFD`.
    ///
    /// # Errors
    /// Where a part of a `tokenizer.json` fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TokenizeError> {
        match self {
            Tokenizer::Byte => {
                let tokens: Vec<u32> = tokens.iter().copied().filter(|&token| token != self.end()).collect();
                Ok(ByteTokenizer.decode(&tokens))
            }
            Tokenizer::Json(json, _) => json.decode(tokens, true).map_err(TokenizeError::Fails),
        }
    }

    /// For text as its tokens come.
    pub fn decoder(&self) -> Decoder<'_> {
        match self {
            Tokenizer::Byte => Decoder::Byte(ByteDecoder::default()),
            Tokenizer::Json(json, _) => Decoder::Json(json.decode_stream(true)),
        }
    }
}

type Stream<'a> =
    DecodeStream<'a, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// Text token by token: a character of several tokens comes out whole, with its last one.
#[allow(missing_debug_implementations, reason = "the library's stream has none")]
#[allow(missing_docs, reason = "as the tokenizer's")]
pub enum Decoder<'a> {
    Byte(ByteDecoder),
    Json(Stream<'a>),
}

impl Decoder<'_> {
    /// The text that `token` completes, perhaps none.
    ///
    /// # Errors
    /// Where a part of a `tokenizer.json` fails.
    pub fn push(&mut self, token: u32) -> Result<String, TokenizeError> {
        match self {
            Decoder::Byte(_) if token == Tokenizer::Byte.end() => Ok(String::new()),
            Decoder::Byte(bytes) => Ok(bytes.push(token)),
            Decoder::Json(stream) => Ok(stream.step(token).map_err(TokenizeError::Fails)?.unwrap_or_default()),
        }
    }

    /// What is left when no more tokens come: of bytes a character's beginning, as `U+FFFD`.
    pub fn finish(&mut self) -> String {
        match self {
            Decoder::Byte(bytes) => bytes.finish(),
            Decoder::Json(_) => String::new(),
        }
    }
}
