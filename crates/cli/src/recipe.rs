//! The recipe of a text: one line of JSON that reproduces the same text on any machine.

use crate::prompt::Fed;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bitstate::{Digest, Digester, Order, Sampling};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the line.
const VERSION: u32 = 1;
/// Most tokens that a recipe lists; bounds its length and the memory of a long text.
const NAMED: usize = 4096;

/// Everything that a text depends on, and the tokens to compare with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub bitstate_recipe: u32,
    pub model: PathBuf,
    /// SHA-256 of the model file.
    pub sha256: String,
    /// Fingerprint of the tokenizer; `None` if tokens have no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    #[serde(default)]
    pub text: TextRecipe,
    /// The session that was resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parse_special: bool,
    /// `None` if it is that of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<SamplingRecipe>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_token: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_end: bool,
    pub stream: Stream,
}

/// The tokenizer flags that were given.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRecipe {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub end: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionFile {
    pub path: PathBuf,
    pub sha256: String,
}

/// The prompt.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    Text(String),
    Tokens(Vec<u32>),
    /// A file with a text that is too long for a line.
    File {
        path: PathBuf,
        bytes: u64,
        digest: String,
    },
    /// The same from standard input.
    Stdin {
        bytes: u64,
        digest: String,
    },
}

impl Prompt {
    /// A text from a file or standard input.
    pub fn of(fed: Fed, path: Option<&Path>) -> Self {
        let Fed { bytes, digest, text } = fed;
        let digest = digest.to_string();
        match (text, path) {
            (Some(text), _) => Prompt::Text(text),
            (None, Some(path)) => Prompt::File { path: path.to_path_buf(), bytes, digest },
            (None, None) => Prompt::Stdin { bytes, digest },
        }
    }
}

/// How the tokens were chosen.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingRecipe {
    seed: u64,
    temperature: f32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    temperature_last: bool,
    top_k: u32,
    top_p: f32,
    typical_p: f32,
    min_p: f32,
    penalty: f32,
    repeat_penalty: f32,
    presence_penalty: f32,
    frequency_penalty: f32,
    repeat_last_n: u32,
    logit_bias: Vec<(u32, f32)>,
}

impl From<&Sampling> for SamplingRecipe {
    fn from(from: &Sampling) -> Self {
        SamplingRecipe {
            seed: from.seed,
            temperature: from.temperature,
            temperature_last: from.order == Order::TemperatureLast,
            top_k: from.top_k,
            top_p: from.top_p,
            typical_p: from.typical_p,
            min_p: from.min_p,
            penalty: from.penalty,
            repeat_penalty: from.repetition,
            presence_penalty: from.presence,
            frequency_penalty: from.frequency,
            repeat_last_n: from.window,
            logit_bias: from.bias.clone(),
        }
    }
}

impl SamplingRecipe {
    pub fn sampling(&self) -> Sampling {
        Sampling {
            seed: self.seed,
            temperature: self.temperature,
            order: if self.temperature_last { Order::TemperatureLast } else { Order::TemperatureFirst },
            top_k: self.top_k,
            top_p: self.top_p,
            typical_p: self.typical_p,
            min_p: self.min_p,
            penalty: self.penalty,
            repetition: self.repeat_penalty,
            presence: self.presence_penalty,
            frequency: self.frequency_penalty,
            window: self.repeat_last_n,
            bias: self.logit_bias.clone(),
        }
    }
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// An end-of-text token or a stop token.
    Token,
    /// A stop text.
    Stop,
    /// All requested tokens were generated.
    MaxTokens,
    /// Ctrl-C.
    Interrupted,
}

/// The generated tokens.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Number of tokens.
    pub count: u64,
    pub ended: End,
    /// XXH64 of the ids of all of them, as little-endian u32.
    pub digest: String,
    /// The ids of the first 4,096 tokens: LEB128, in base64. The ids themselves rather than checksums: a checksum shorter than an
    /// id (1.3 characters for a byte, 2.7 for one of 4,096) would sometimes report a wrong place.
    pub tokens: String,
}

/// Collects tokens: the first ones, and a digest of all.
#[derive(Default)]
pub struct Taken {
    pub count: u64,
    named: Vec<u8>,
    digester: Digester,
}

impl Taken {
    pub fn push(&mut self, token: u32) {
        if self.count < NAMED as u64 {
            let mut rest = token;
            while rest >= 0x80 {
                self.named.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            self.named.push(rest as u8);
        }
        self.count += 1;
        self.digester.push(&token.to_le_bytes());
    }

    pub fn digest(&self) -> Digest {
        self.digester.finish()
    }

    pub fn stream(&self, ended: End) -> Stream {
        let tokens = STANDARD_NO_PAD.encode(&self.named);
        Stream { count: self.count, ended, digest: self.digest().to_string(), tokens }
    }
}

impl Stream {
    /// The first tokens, at most `count` of them.
    pub fn named(&self) -> Result<Vec<u32>> {
        let bytes = STANDARD_NO_PAD.decode(&self.tokens).context("tokens: not base64")?;
        let mut tokens = Vec::new();
        let (mut token, mut shift) = (0_u32, 0);
        for byte in bytes {
            let part = u32::from(byte & 0x7f);
            ensure!(shift < 28 || (shift == 28 && part < 16), "tokens: number {} is too large", tokens.len() + 1);
            token |= part << shift;
            shift += 7;
            if byte < 0x80 {
                tokens.push(token);
                (token, shift) = (0, 0);
            }
        }
        ensure!(shift == 0, "tokens: the last one is cut off");
        ensure!(
            tokens.len() as u64 == self.count.min(NAMED as u64),
            "tokens: expected {}",
            self.count.min(NAMED as u64)
        );
        Ok(tokens)
    }
}

impl Recipe {
    pub const VERSION: u32 = VERSION;

    /// The line. Apostrophes are escaped, so that the line can be quoted with apostrophes in a shell.
    pub fn line(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?.replace('\'', "\\u0027"))
    }

    /// Reads a line.
    pub fn parse(line: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            bitstate_recipe: u32,
        }
        const DAMAGED: &str = "the recipe is damaged: give the line as `generate` wrote it";
        let begins = line.starts_with("{\"bitstate_recipe\":");
        ensure!(begins, "not a recipe: give the last line that `bitstate generate` wrote to standard error");
        match serde_json::from_str::<Head>(line).context(DAMAGED)?.bitstate_recipe {
            VERSION => serde_json::from_str(line).context(DAMAGED),
            newer => {
                bail!("the recipe has version {newer}, but this program reads version {VERSION}: use a newer program")
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let tokens = [0, 1, 127, 128, 300, 4095, 65_535, 1 << 21, u32::MAX];
        let mut taken = Taken::default();
        tokens.iter().for_each(|&token| taken.push(token));
        let mut stream = taken.stream(End::Stop);
        assert_eq!(stream.named().unwrap(), tokens);
        stream.count += 1;
        assert!(stream.named().unwrap_err().to_string().contains("expected 10"));
        for (bad, part) in [("gA", "cut off"), ("?", "base64"), ("/////x8", "too large"), ("/////////wE", "too large")]
        {
            let stream = Stream { count: 1, ended: End::Stop, digest: String::new(), tokens: bad.into() };
            assert!(stream.named().unwrap_err().to_string().contains(part), "{bad}");
        }
    }

    #[test]
    fn a_long_stream_names_its_first_tokens_and_digests_all() {
        let mut taken = Taken::default();
        (0..10_000).for_each(|token| taken.push(token % 256));
        let stream = taken.stream(End::MaxTokens);
        assert_eq!((stream.named().unwrap().len(), stream.count), (4096, 10_000));
        let ids: Vec<u8> = (0..10_000_u32).flat_map(|token| (token % 256).to_le_bytes()).collect();
        assert_eq!(stream.digest, Digest::of(&ids).to_string());
    }
}
