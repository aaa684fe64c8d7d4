//! Byte-level BPE out of a `tokenizer.json` without the `tokenizers` library, which would be most of a WebAssembly module.
//!
//! It reads the files that the trainer of `stories-bpe4k` writes, and those of GPT-2's kind in general: bytes as letters, words
//! by GPT-2's pattern, merges by rank. Any other setting is refused by its name. Tokens and text are those of the
//! library: `tests/bpe.rs` holds the two against each other.

use crate::memory::DecoderMemory;
use crate::words::Words;
use crate::{Invalid, TokenizeError};
use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use serde::Deserialize;

/// Tokens and merges.
#[derive(Debug, Clone)]
pub(crate) struct Bpe {
    /// The token of each byte.
    bytes: Vec<u32>,
    /// What two tokens become, and how early.
    merges: BTreeMap<(u32, u32), (u32, u32)>,
    /// By id: the bytes of the token's text, nothing for special tokens.
    texts: BTreeMap<u32, Vec<u8>>,
    names: BTreeMap<String, u32>,
    special: Vec<(String, u32)>,
    largest: (String, u32),
    parse_special: bool,
    ignored: Vec<&'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: String,
    truncation: Option<serde_json::Value>,
    padding: Option<serde_json::Value>,
    added_tokens: Vec<Added>,
    normalizer: Option<serde_json::Value>,
    pre_tokenizer: Step,
    post_processor: Option<Step>,
    decoder: Step,
    model: Model,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Added {
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    add_prefix_space: bool,
    #[serde(default, rename = "trim_offsets")]
    _trim_offsets: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    #[serde(rename = "type")]
    kind: String,
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default, rename = "fuse_unk")]
    _fuse_unk: bool,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: BTreeMap<String, u32>,
    merges: Vec<Merge>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

impl Merge {
    fn pair(&self) -> Option<(&str, &str)> {
        match self {
            Merge::Pair(a, b) => Some((a, b)),
            Merge::Line(line) => line.split_once(' '),
        }
    }
}

impl File {
    /// What of the file this page does not do.
    fn unsupported(&self) -> Option<&'static str> {
        let (model, byte_level) = (&self.model, |step: &Step| step.kind == "ByteLevel");
        let added = |a: &Added| a.special && !a.single_word && !a.lstrip && !a.rstrip && !a.normalized;
        let empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        [
            (model.kind == "BPE", "a model that is not BPE"),
            (self.normalizer.is_none(), "a normalizer"),
            (byte_level(&self.pre_tokenizer), "a pre_tokenizer that is not ByteLevel"),
            (!self.pre_tokenizer.add_prefix_space, "add_prefix_space"),
            (self.pre_tokenizer.use_regex, "a pre_tokenizer without its pattern"),
            (self.post_processor.as_ref().is_none_or(byte_level), "a post_processor that is not ByteLevel"),
            (byte_level(&self.decoder), "a decoder that is not ByteLevel"),
            (self.added_tokens.iter().all(added), "an added token that is not special, or is stripped or normalized"),
            (model.unk_token.is_none() && !model.byte_fallback, "tokens for unknown bytes"),
            (empty(&model.continuing_subword_prefix) && empty(&model.end_of_word_suffix), "marks of words"),
            (!model.ignore_merges, "ignore_merges"),
        ]
        .into_iter()
        .find_map(|(fine, what)| (!fine).then_some(what))
    }
}

/// The letters that stand for bytes in a byte-level vocabulary: printable Latin-1 for itself, from U+0100 on the rest.
fn letters() -> BTreeMap<char, u8> {
    let mut rest = '\u{100}'..;
    let mut letter = |byte: u8| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => Some(char::from(byte)),
        _ => rest.next(),
    };
    (0..=255).filter_map(|byte| Some((letter(byte)?, byte))).collect()
}

impl Bpe {
    pub(crate) fn new(json: &[u8]) -> Result<Self, TokenizeError> {
        let file: File = serde_json::from_slice(json).map_err(|error| TokenizeError::Unsupported(error.to_string()))?;
        if let Some(what) = file.unsupported() {
            return Err(TokenizeError::Unsupported(format!("it has {what}")));
        }
        let stored = [
            ("truncation", file.truncation.is_some()),
            ("padding", file.padding.is_some()),
            ("dropout", file.model.dropout.is_some()),
        ];
        let ignored = stored.into_iter().filter_map(|(what, is)| is.then_some(what)).collect();
        let letters = letters();
        let mut names = file.model.vocab;
        let mut bytes = vec![0; 256];
        for (letter, byte) in &letters {
            let name = letter.to_string();
            let id = names.get(&name);
            bytes[usize::from(*byte)] =
                *id.ok_or_else(|| TokenizeError::Ids(format!("it has no token for the byte {byte}")))?;
        }
        let id = |names: &BTreeMap<String, u32>, token: &str| {
            names.get(token).copied().ok_or_else(|| TokenizeError::Ids(format!("a merge names {token:?}, no token")))
        };
        let mut merges = BTreeMap::new();
        for (rank, merge) in file.model.merges.iter().enumerate() {
            let pair = merge.pair();
            let (a, b) = pair.ok_or_else(|| TokenizeError::Ids(format!("merge {rank} is not of two tokens")))?;
            let both = [a, b].concat();
            merges.insert((id(&names, a)?, id(&names, b)?), (rank as u32, id(&names, &both)?));
        }
        let special: Vec<(String, u32)> =
            file.added_tokens.into_iter().map(|added| (added.content, added.id)).collect();
        for (token, id) in &special {
            if names.insert(token.clone(), *id).is_some_and(|other| other != *id) {
                return Err(TokenizeError::Ids(format!(
                    "the added token {token:?} has the id {id}, and another by the rest of the file"
                )));
            }
        }
        let mut by_id: BTreeMap<u32, &str> = BTreeMap::new();
        for (token, id) in &names {
            if let Some(other) = by_id.insert(*id, token) {
                return Err(TokenizeError::Ids(format!("the tokens {token:?} and {other:?} both have the id {id}")));
            }
        }
        let largest = by_id.last_key_value().map(|(id, token)| (token.to_string(), *id));
        let largest = largest.ok_or_else(|| TokenizeError::Ids("it has no tokens".into()))?;
        let ordinary = by_id.iter().filter(|(id, _)| !special.iter().any(|(_, other)| other == *id));
        let text = |token: &str| -> Vec<u8> {
            let bytes: Option<Vec<u8>> = token.chars().map(|letter| letters.get(&letter).copied()).collect();
            // One that was added as it is.
            bytes.unwrap_or_else(|| token.as_bytes().to_vec())
        };
        let texts = ordinary.map(|(id, token)| (*id, text(token))).collect();
        Ok(Bpe { bytes, merges, texts, names, special, largest, parse_special: false, ignored })
    }

    pub(crate) fn ignored(&self) -> &[&'static str] {
        &self.ignored
    }

    pub(crate) fn largest(&self) -> (&str, u32) {
        (&self.largest.0, self.largest.1)
    }

    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.names.get(token).copied()
    }

    pub(crate) fn parse_special(&mut self, parse: bool) {
        self.parse_special = parse;
    }

    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((at, name, id)) = self.next_special(rest) {
            Words(&rest[..at]).for_each(|word| self.encode_word(word.as_bytes(), &mut tokens));
            tokens.push(id);
            rest = &rest[at + name.len()..];
        }
        Words(rest).for_each(|word| self.encode_word(word.as_bytes(), &mut tokens));
        if !self.parse_special
            && let Some((name, _)) = self.special.iter().find(|(_, id)| tokens.contains(id))
        {
            return Err(TokenizeError::Special(name.clone()));
        }
        Ok(tokens)
    }

    /// The first special token that is spelt out, the longest of several, where they are looked for.
    fn next_special(&self, text: &str) -> Option<(usize, &str, u32)> {
        let special = self.special.iter().filter(|_| self.parse_special);
        let found = special.filter_map(|(name, id)| Some((text.find(name.as_str())?, name.as_str(), *id)));
        found.min_by_key(|(at, name, _)| (*at, Reverse(name.len())))
    }

    /// Merges the bytes of a word, the earliest merge first, of equal ones the leftmost.
    fn encode_word(&self, word: &[u8], tokens: &mut Vec<u32>) {
        const NONE: usize = usize::MAX;
        let mut parts: Vec<Option<u32>> = word.iter().map(|&byte| Some(self.bytes[usize::from(byte)])).collect();
        let mut next: Vec<usize> = (1..=word.len()).collect();
        let mut before: Vec<usize> = (0..word.len()).map(|at| at.checked_sub(1).unwrap_or(NONE)).collect();
        let pair = |parts: &[Option<u32>], a: usize, b: usize| {
            let pair = (parts.get(a).copied()??, parts.get(b).copied()??);
            self.merges.get(&pair).map(|(rank, both)| Reverse((*rank, a, pair, *both)))
        };
        let mut heap: BinaryHeap<_> = (0..word.len()).filter_map(|at| pair(&parts, at, at + 1)).collect();
        while let Some(Reverse((_, a, (left, right), both))) = heap.pop() {
            let b = next[a];
            // Since it was found, one of the two may have become part of another.
            if parts[a] != Some(left) || parts.get(b).copied().flatten() != Some(right) {
                continue;
            }
            (parts[a], parts[b]) = (Some(both), None);
            let behind = next[b];
            next[a] = behind;
            if let Some(place) = before.get_mut(behind) {
                *place = a;
            }
            heap.extend(pair(&parts, a, behind));
            heap.extend(pair(&parts, before[a], a));
        }
        tokens.extend(parts.into_iter().flatten());
    }

    /// What a stream that has seen no token remembers: that of the library's one step from letters to bytes.
    pub(crate) fn memory() -> DecoderMemory {
        DecoderMemory::new(1, Invalid::EachCharacter, 0)
    }

    /// The text that a token completes, perhaps none.
    pub(crate) fn push(&self, memory: &mut DecoderMemory, token: u32) -> String {
        let Some(bytes) = self.texts.get(&token) else { return String::new() };
        memory.before.iter_mut().for_each(|step| step.started = true);
        bytes.iter().map(|&byte| memory.bytes.push(byte.into())).collect()
    }
}
