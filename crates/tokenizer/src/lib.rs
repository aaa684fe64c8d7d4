//! Tokenizers: one token per byte, or the `tokenizer.json` that a model was trained with. Also the files around them:
//! [`read_stories`] for text files, and the [`Description`] that binds a model to its tokenizer.
//!
//! ```
//! use bitstate_tokenizer::Tokenizer;
//!
//! let tokenizer = Tokenizer::byte();
//! let tokens = tokenizer.encode("Grüße")?;
//! assert_eq!(tokens.len(), 7);
//! // Streaming: a character is returned with its last byte.
//! let mut decoder = tokenizer.decoder();
//! let pieces: Vec<String> = tokens.iter().map(|&token| decoder.push(token)).collect();
//! assert_eq!(pieces, ["G", "r", "", "ü", "", "ß", "e"]);
//! # Ok::<(), bitstate_tokenizer::TokenizeError>(())
//! ```
//!
//! Without the default feature `std`, only the byte tokenizer is available, and no files: `no_std` with `alloc`. The
//! feature `bpe` adds byte-level BPE in a few kilobytes: [`Tokenizer::from_bpe_json`].
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
extern crate alloc;

#[cfg(feature = "bpe")]
mod bpe;
mod byte;
#[cfg(feature = "std")]
mod decode;
#[cfg(feature = "std")]
mod description;
mod digest;
#[cfg(feature = "std")]
mod ends;
#[cfg(feature = "std")]
mod file;
#[cfg(feature = "std")]
mod hostile;
#[cfg(feature = "std")]
mod json;
#[cfg(feature = "bpe")]
mod letters;
mod memory;
mod stream;
#[cfg(feature = "std")]
mod texts;
#[cfg(feature = "bpe")]
mod words;

pub use byte::{ByteDecoder, ByteTokenizer};
#[cfg(feature = "std")]
pub use description::{Description, Sampling};
pub use digest::sha256;
#[cfg(feature = "std")]
pub use file::FileError;
pub use memory::{DecoderError, DecoderMemory};
pub use stream::Decoder;
#[cfg(feature = "std")]
pub use texts::{read_stories, stories};

#[cfg(feature = "bpe")]
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
#[cfg(feature = "bpe")]
use bpe::Bpe;
#[cfg(feature = "bpe")]
use byte::Invalid;
#[cfg(feature = "std")]
use json::Json;
#[cfg(feature = "std")]
use std::path::Path;

/// Identifies the byte tokenizer where others have the SHA-256 of their file.
pub const BYTES: &str = "byte";

/// Separates two texts in a file.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Names of tokens that end a text, or a turn in it. A tokenizer may have several.
#[cfg(any(feature = "std", feature = "bpe"))]
const KNOWN_ENDS: [&str; 11] = [
    END_OF_TEXT,
    "<|end_of_text|>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "[EOS]",
    "<｜end▁of▁sentence｜>",
    "<|eot_id|>",
    "<|im_end|>",
    "<end_of_turn>",
    "<|endofturn|>",
];

/// Largest accepted `tokenizer.json`, in bytes: those of public models have up to 35 MB.
#[cfg(feature = "std")]
const LARGEST_JSON: u64 = 256 << 20;

/// Why a tokenizer or a text was rejected.
#[derive(Debug, thiserror::Error)]
pub enum TokenizeError {
    /// Not a file of the `tokenizers` library.
    #[cfg(feature = "std")]
    #[error("not a tokenizer.json: {0}")]
    NotJson(tokenizers::Error),
    /// A `tokenizer.json` of another kind than byte-level BPE, where the whole library is not there to read it.
    #[cfg(feature = "bpe")]
    #[error("not a tokenizer.json that is read here: {0}; here it must be byte-level BPE, as GPT-2 has it")]
    Unsupported(String),
    /// The ids in the file contradict each other.
    #[error("not a usable tokenizer.json: {0}")]
    Ids(String),
    /// No token is known to end a text.
    #[error("no token of the tokenizer is known to end a text; set it with --end")]
    NoEnd,
    /// The tokenizer lacks a token.
    #[error("the tokenizer has no token {0:?}; give a token of it, or an id below {1}")]
    NoToken(String, usize),
    /// The text contains U+0000, which ends a text in the byte tokenizer.
    #[error(
        "byte {0} is U+0000, which stands for the end of a text; a text in UTF-16 must be converted to UTF-8 first"
    )]
    Zero(usize),
    /// Text that cannot be encoded with ordinary tokens.
    #[error("the text contains {0:?}, a special token that this tokenizer cannot spell with ordinary tokens")]
    Special(String),
    /// A component of the tokenizer failed.
    #[cfg(feature = "std")]
    #[error("the tokenizer fails: {0}")]
    Fails(tokenizers::Error),
}

/// A ready-to-use tokenizer.
///
/// Text is encoded with ordinary tokens: `<|endoftext|>` or `</s>` in it is spelled like any other word, unless
/// [`parse_special`](Tokenizer::parse_special) is set.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    kind: Kind,
    ends: Vec<u32>,
    parse_special: bool,
    digest: String,
}

#[derive(Debug, Clone)]
enum Kind {
    /// One token per byte; 0 ends a text.
    Byte,
    /// From a `tokenizer.json`.
    #[cfg(feature = "std")]
    Json(Box<Json>),
    /// Of a `tokenizer.json`, without the library.
    #[cfg(feature = "bpe")]
    Bpe(Box<Bpe>),
}

impl Tokenizer {
    /// One token per byte; 0 ends a text.
    pub fn byte() -> Self {
        Tokenizer { kind: Kind::Byte, ends: vec![0], parse_special: false, digest: BYTES.into() }
    }

    /// The tokenizer of the `tokenizer.json` at `path`; see [`from_json`](Tokenizer::from_json).
    ///
    /// # Errors
    /// If the file cannot be read, or is not a tokenizer.
    #[cfg(feature = "std")]
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let bytes = file::read(path, LARGEST_JSON)?;
        Self::from_json(&bytes).map_err(|error| FileError::content(path, error))
    }

    /// The tokenizer of the bytes of a `tokenizer.json`. A text ends with the tokens whose names are known to end one,
    /// such as `<|endoftext|>` or `</s>`; there may be none.
    ///
    /// Truncation, padding and dropout that the file stores are disabled: see [`ignored`](Tokenizer::ignored).
    ///
    /// # Errors
    /// If the bytes are not a tokenizer, or the library assigns other ids than the file.
    #[cfg(feature = "std")]
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizeError> {
        let json = Json::new(bytes)?;
        let ends = ends::known(&json);
        Ok(Tokenizer { kind: Kind::Json(Box::new(json)), ends, parse_special: false, digest: sha256(bytes) })
    }

    /// The same for byte-level BPE alone, without the `tokenizers` library: for WebAssembly, where the library would be most
    /// of a module. Tokens, text and digest are the same.
    ///
    /// # Errors
    /// If the bytes are no `tokenizer.json`, or one with a setting that this reader does not have: it names the setting.
    #[cfg(feature = "bpe")]
    pub fn from_bpe_json(bytes: &[u8]) -> Result<Self, TokenizeError> {
        let bpe = Bpe::new(bytes)?;
        let ends = KNOWN_ENDS.iter().filter_map(|name| bpe.id(name)).collect();
        Ok(Tokenizer { kind: Kind::Bpe(bpe.into()), ends, parse_special: false, digest: sha256(bytes) })
    }

    /// Replaces the end tokens by those named in the usual files beside the `tokenizer.json` at `path`:
    /// `tokenizer_config.json`, `special_tokens_map.json` and `generation_config.json`. If none of them names one, the
    /// end tokens stay.
    ///
    /// # Errors
    /// If one of the files cannot be read, or names a token that the tokenizer lacks.
    #[cfg(feature = "std")]
    pub fn find_ends(&mut self, path: &Path) -> Result<(), FileError> {
        if let Kind::Json(json) = &self.kind {
            let named = ends::beside(json, path)?;
            if !named.is_empty() {
                self.ends = named;
            }
        }
        Ok(())
    }

    /// Sets the tokens that end a text; the first also begins one.
    pub fn set_ends(&mut self, ends: Vec<u32>) {
        self.ends = ends;
    }

    /// Whether special tokens that are spelled out in a text, such as `<|endoftext|>`, are encoded as these tokens. The
    /// byte tokenizer has only this one: token 0.
    pub fn parse_special(&mut self, parse: bool) {
        self.parse_special = parse;
        match &mut self.kind {
            Kind::Byte => {}
            #[cfg(feature = "std")]
            Kind::Json(json) => json.parse_special(parse),
            #[cfg(feature = "bpe")]
            Kind::Bpe(bpe) => bpe.parse_special(parse),
        }
    }

    /// Whether tokens are bytes.
    pub fn is_byte(&self) -> bool {
        matches!(self.kind, Kind::Byte)
    }

    /// SHA-256 of the `tokenizer.json` in hex; [`BYTES`] if tokens are bytes.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The disabled settings of the file, which would change how a text is encoded.
    pub fn ignored(&self) -> &[&'static str] {
        match &self.kind {
            Kind::Byte => &[],
            #[cfg(feature = "std")]
            Kind::Json(json) => json.ignored(),
            #[cfg(feature = "bpe")]
            Kind::Bpe(bpe) => bpe.ignored(),
        }
    }

    /// The vocabulary size that a model needs: the largest id plus 1. There may be gaps below it.
    pub fn vocab_size(&self) -> usize {
        self.largest().1 as usize + 1
    }

    /// The token with the largest id.
    pub fn largest(&self) -> (&str, u32) {
        match &self.kind {
            Kind::Byte => ("\u{ff}", 255),
            #[cfg(feature = "std")]
            Kind::Json(json) => json.largest(),
            #[cfg(feature = "bpe")]
            Kind::Bpe(bpe) => bpe.largest(),
        }
    }

    /// The id of a token given by name, or by id if `token` is a number.
    ///
    /// # Errors
    /// If the tokenizer lacks it.
    pub fn id(&self, token: &str) -> Result<u32, TokenizeError> {
        let id = match (token.parse(), &self.kind) {
            (Ok(id), _) => Some(id).filter(|&id: &u32| (id as usize) < self.vocab_size()),
            (Err(_), Kind::Byte) => (token == END_OF_TEXT).then_some(0),
            #[cfg(feature = "std")]
            (Err(_), Kind::Json(json)) => json.id(token),
            #[cfg(feature = "bpe")]
            (Err(_), Kind::Bpe(bpe)) => bpe.id(token),
        };
        id.ok_or_else(|| TokenizeError::NoToken(token.into(), self.vocab_size()))
    }

    /// The tokens that end a text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The token that begins a text and separates two texts.
    ///
    /// # Errors
    /// If no token is known to end a text.
    pub fn end(&self) -> Result<u32, TokenizeError> {
        self.ends.first().copied().ok_or(TokenizeError::NoEnd)
    }

    /// The tokens of `text`, without an end token.
    ///
    /// # Errors
    /// If the text contains U+0000 and tokens are bytes, contains a special token that cannot be spelled with ordinary
    /// tokens, or a component of a `tokenizer.json` fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        match &self.kind {
            #[cfg(feature = "std")]
            Kind::Json(json) => json.encode(text),
            #[cfg(feature = "bpe")]
            Kind::Bpe(bpe) => bpe.encode(text),
            Kind::Byte => {
                if let Some(at) = text.find('\0') {
                    return Err(TokenizeError::Zero(at));
                }
                let parts = text.split(if self.parse_special { END_OF_TEXT } else { "\0" });
                let parts: Vec<Vec<u32>> = parts.map(|part| ByteTokenizer.encode(part)).collect();
                Ok(parts.join(&0))
            }
        }
    }

    /// The text of `tokens`; special tokens and unassigned ids have none. Bytes that are not UTF-8 become `U+FFFD`.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let mut decoder = self.decoder();
        let mut text: String = tokens.iter().map(|&token| decoder.push(token)).collect();
        text.push_str(&decoder.finish());
        text
    }

    /// Decodes token by token. The concatenated pieces equal [`decode`](Tokenizer::decode) of all tokens.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder::new(self)
    }

    /// The initial state of a stream, for owners that store it apart from the tokenizer.
    pub fn decoder_memory(&self) -> DecoderMemory {
        match &self.kind {
            Kind::Byte => DecoderMemory::new(0, Default::default(), 0),
            #[cfg(feature = "std")]
            Kind::Json(json) => json.steps().memory(),
            #[cfg(feature = "bpe")]
            Kind::Bpe(_) => Bpe::memory(),
        }
    }

    /// The text that `token` completes in a stream of this tokenizer; may be empty.
    pub fn push(&self, memory: &mut DecoderMemory, token: u32) -> String {
        match &self.kind {
            // The end token has no text.
            Kind::Byte if token == 0 => String::new(),
            Kind::Byte => memory.bytes.push(token),
            #[cfg(feature = "std")]
            Kind::Json(json) => json.steps().push(memory, json, token),
            #[cfg(feature = "bpe")]
            Kind::Bpe(bpe) => bpe.push(memory, token),
        }
    }

    /// The remaining text of a stream when no more tokens follow: an incomplete character, as `U+FFFD`.
    pub fn finish(&self, memory: &mut DecoderMemory) -> String {
        match &self.kind {
            Kind::Byte => memory.bytes.finish(),
            #[cfg(feature = "std")]
            Kind::Json(json) => json.steps().finish(memory),
            #[cfg(feature = "bpe")]
            Kind::Bpe(_) => memory.bytes.finish(),
        }
    }

    /// Restores the state of a stream of this tokenizer from [`DecoderMemory::to_bytes`].
    ///
    /// # Errors
    /// If the bytes are not such a state, with the field and the offset.
    pub fn restore_decoder(&self, bytes: &[u8]) -> Result<DecoderMemory, DecoderError> {
        let mut memory = self.decoder_memory();
        memory.read(bytes)?;
        #[cfg(feature = "std")]
        if let Kind::Json(json) = &self.kind {
            json.steps().check(&memory)?;
        }
        Ok(memory)
    }

    /// The `tokenizer.json` without the settings that are [`ignored`](Tokenizer::ignored); `None` if tokens are
    /// bytes, or it was read without the library.
    ///
    /// # Errors
    /// If the library cannot write it.
    #[cfg(feature = "std")]
    pub fn to_json(&self) -> Result<Option<String>, TokenizeError> {
        match &self.kind {
            Kind::Byte => Ok(None),
            Kind::Json(json) => json.to_json().map(Some),
            #[cfg(feature = "bpe")]
            Kind::Bpe(_) => Ok(None),
        }
    }
}
