//! The description beside a model: its tokenizer, the tokens that end a text, and the sampling defaults.
//!
//! The file is named after the model plus `.json`: `model.bits.json` describes `model.bits`.

use crate::BYTES;
use crate::digest::sha256;
use crate::file::{FileError, read_if_there};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Largest accepted description, in bytes.
const LIMIT: u64 = 64 << 10;
const VERSION: u32 = 1;
const LONGEST_NAME: usize = 200;

/// Binds a model to its tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Version of the format: 1.
    version: u32,
    /// The model's name.
    pub name: String,
    /// SHA-256 of the model file, in hex.
    pub model: String,
    /// SHA-256 of the `tokenizer.json` in hex, or [`BYTES`].
    pub tokenizer: String,
    /// Tokens that end a text; the first also begins one. May be empty.
    pub end: Vec<u32>,
    /// Default sampling.
    pub sampling: Sampling,
}

/// Sampling parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Divisor of the logits; 0 always takes the largest.
    pub temperature: f32,
    /// Number of most probable tokens that are kept; 0 keeps all.
    pub top_k: u32,
    /// Cumulative probability that is kept.
    pub top_p: f32,
    /// Penalty on tokens seen before, 1 for none.
    pub penalty: f32,
}

impl Sampling {
    /// The defaults for a model of `vocab_size` tokens without a description. For 256 tokens, which are assumed to be
    /// bytes, there is no penalty: letters recur in any text.
    pub fn of(vocab_size: usize) -> Self {
        let penalty = if vocab_size == 256 { 1.0 } else { 1.1 };
        Sampling { temperature: 0.8, top_k: 50, top_p: 0.9, penalty }
    }

    fn check(&self) -> Result<(), String> {
        for (field, value, allowed, range) in [
            ("temperature", self.temperature, self.temperature >= 0.0, "at least 0"),
            ("top_p", self.top_p, self.top_p > 0.0 && self.top_p <= 1.0, "above 0 and at most 1"),
            ("penalty", self.penalty, self.penalty >= 1.0, "at least 1"),
        ] {
            if !(allowed && value.is_finite()) {
                return Err(format!("sampling.{field} is {value}, and must be {range}"));
            }
        }
        Ok(())
    }
}

impl Description {
    /// The description of a model and its tokenizer, each given by its SHA-256 in hex; `tokenizer` may be [`BYTES`].
    ///
    /// # Errors
    /// If one of the arguments is invalid.
    pub fn new(
        name: &str,
        model: String,
        tokenizer: String,
        end: Vec<u32>,
        sampling: Sampling,
    ) -> Result<Self, String> {
        let new = Description { version: VERSION, name: name.into(), model, tokenizer, end, sampling };
        new.check().map(|()| new)
    }

    /// The path of the description of the model at `model`.
    pub fn path(model: &Path) -> PathBuf {
        let mut name = OsString::from(model);
        name.push(".json");
        name.into()
    }

    /// The description beside the model at `model`, whose file holds `bytes`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, is not a description, or describes another model.
    pub fn beside(model: &Path, bytes: &[u8]) -> Result<Option<Self>, FileError> {
        let path = Self::path(model);
        let Some(json) = read_if_there(&path, LIMIT)? else { return Ok(None) };
        let found = Self::parse(&json).map_err(|problem| {
            let fix = format!("write it again with `bitstate describe --model {}`, or remove it", model.display());
            FileError::content(&path, format_args!("not the description of a model: {problem}; {fix}"))
        })?;
        let digest = sha256(bytes);
        if digest != found.model {
            let (model, wanted) = (model.display(), &found.model);
            return Err(FileError::content(
                &path,
                format_args!(
                    "describes another model than {model}, whose SHA-256 is {digest} and not {wanted}: put the model back, \
                     or describe this one with `bitstate describe --model {model}`"
                ),
            ));
        }
        Ok(Some(found))
    }

    fn parse(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!("version is {version}, and this program reads version {VERSION}"));
        }
        let found: Description = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        found.check().map(|()| found)
    }

    fn check(&self) -> Result<(), String> {
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest(&self.model) {
            return Err(format!("model is {:?}, and must be a SHA-256 of 64 lower-case hex digits", self.model));
        }
        if self.tokenizer != BYTES && !is_digest(&self.tokenizer) {
            return Err(format!(
                "tokenizer is {:?}, and must be {BYTES:?} or a SHA-256 of 64 lower-case hex digits",
                self.tokenizer
            ));
        }
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || self.name.chars().any(char::is_control) {
            return Err(format!("name must be 1 to {LONGEST_NAME} bytes of text without control characters"));
        }
        self.sampling.check()
    }

    /// The file's content.
    ///
    /// # Errors
    /// No known one: `serde_json` has one in its signature.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}
