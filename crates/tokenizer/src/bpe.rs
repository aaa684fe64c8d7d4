//! Byte-level BPE out of a `tokenizer.json` without the `tokenizers` library, which would be most of a WebAssembly module.
//!
//! It reads the files that the trainer of `stories-bpe4k` writes, and those of GPT-2's kind in general: bytes as letters, words
//! by GPT-2's pattern, merges by rank. Any other setting is refused by its name. Tokens and text are those of the
//! library: `tests/bpe.rs` holds the two against each other.

use crate::memory::DecoderMemory;
use crate::words::Words;
use crate::{Invalid, TokenizeError};
use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;
use serde_json::Value;

/// Tokens and merges.
#[derive(Debug, Clone)]
pub(crate) struct Bpe {
    /// The token of each byte.
    bytes: Vec<u32>,
    /// By pair: how early two tokens are merged, and what they become.
    merges: Vec<((u32, u32), (u32, u32))>,
    /// By id: the bytes of the token's text, nothing for special tokens.
    texts: Vec<(u32, Vec<u8>)>,
    /// By name: the ids.
    names: Vec<(String, u32)>,
    special: Vec<(String, u32)>,
    largest: (String, u32),
    parse_special: bool,
    ignored: Vec<&'static str>,
}

/// A `tokenizer.json`, checked piece by piece: types of its own for all of it would be tens of kilobytes of code.
struct File(Value);

/// Keys of the file and of its parts; another one is another kind of tokenizer.
const TOP: [&str; 9] = [
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model",
];
const STEP: [&str; 4] = ["type", "add_prefix_space", "trim_offsets", "use_regex"];
const ADDED: [&str; 7] = ["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"];
const MODEL: [&str; 10] = [
    "type",
    "dropout",
    "unk_token",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "fuse_unk",
    "byte_fallback",
    "ignore_merges",
    "vocab",
    "merges",
];

fn unsupported(what: impl core::fmt::Display) -> TokenizeError {
    TokenizeError::Unsupported(what.to_string())
}

fn is(value: &Value, key: &str) -> bool {
    value[key] == Value::Bool(true)
}

impl File {
    /// Reads the file, and refuses what this page does not do, by its name.
    fn parse(json: &[u8]) -> Result<Self, TokenizeError> {
        let file: Value = serde_json::from_slice(json).map_err(unsupported)?;
        let known = |part: &Value, keys: &[&str]| match part.as_object() {
            None => Err(unsupported("a part of it is no object")),
            Some(object) => match object.keys().find(|key| !keys.contains(&key.as_str())) {
                Some(key) => Err(unsupported(format_args!("it has a setting {key:?} that is not known here"))),
                None => Ok(()),
            },
        };
        let (model, before, behind) = (&file["model"], &file["pre_tokenizer"], &file["post_processor"]);
        known(&file, &TOP)?;
        known(model, &MODEL)?;
        for added in file["added_tokens"].as_array().map_or(&[][..], Vec::as_slice) {
            known(added, &ADDED)?;
        }
        for step in [before, behind, &file["decoder"]].into_iter().filter(|step| !step.is_null()) {
            known(step, &STEP)?;
        }
        let byte_level = |step: &Value| step["type"] == "ByteLevel";
        let empty = |key: &str| model[key].is_null() || model[key] == "";
        let moved = |added: &Value| ["single_word", "lstrip", "rstrip", "normalized"].iter().any(|key| is(added, key));
        let added = file["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
        let missing = [
            (model["type"] == "BPE", "a model that is not BPE"),
            (file["normalizer"].is_null(), "a normalizer"),
            (byte_level(before), "a pre_tokenizer that is not ByteLevel"),
            (!is(before, "add_prefix_space"), "add_prefix_space"),
            (before["use_regex"] != Value::Bool(false), "a pre_tokenizer without its pattern"),
            (behind.is_null() || byte_level(behind), "a post_processor that is not ByteLevel"),
            (byte_level(&file["decoder"]), "a decoder that is not ByteLevel"),
            (
                added.iter().all(|added| is(added, "special") && !moved(added)),
                "an added token that is not special, or is stripped or normalized",
            ),
            (model["unk_token"].is_null() && !is(model, "byte_fallback"), "tokens for unknown bytes"),
            (empty("continuing_subword_prefix") && empty("end_of_word_suffix"), "marks of words"),
            (!is(model, "ignore_merges"), "ignore_merges"),
            (model["vocab"].is_object() && model["merges"].is_array(), "no vocabulary or no merges"),
        ]
        .into_iter()
        .find_map(|(fine, what)| (!fine).then_some(what));
        match missing {
            Some(what) => Err(unsupported(format_args!("it has {what}"))),
            None => Ok(File(file)),
        }
    }

    /// The settings that are stored and not used.
    fn ignored(&self) -> Vec<&'static str> {
        let stored = [
            ("truncation", &self.0["truncation"]),
            ("padding", &self.0["padding"]),
            ("dropout", &self.0["model"]["dropout"]),
        ];
        stored.into_iter().filter_map(|(what, value)| (!value.is_null()).then_some(what)).collect()
    }

    /// The tokens and their ids, by name.
    fn vocabulary(&self) -> Result<Vec<(String, u32)>, TokenizeError> {
        let mut names = Vec::new();
        for (token, id) in self.0["model"]["vocab"].as_object().into_iter().flatten() {
            names.push((token.clone(), number(id, token)?));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn special(&self) -> Result<Vec<(String, u32)>, TokenizeError> {
        let mut special = Vec::new();
        for added in self.0["added_tokens"].as_array().into_iter().flatten() {
            let content = added["content"].as_str().ok_or_else(|| unsupported("an added token has no content"))?;
            special.push((content.to_string(), number(&added["id"], content)?));
        }
        Ok(special)
    }

    /// The pairs of tokens that are merged, the earliest first.
    fn merges(&self) -> impl Iterator<Item = Option<(&str, &str)>> {
        self.0["model"]["merges"].as_array().into_iter().flatten().map(|merge| match merge {
            Value::String(line) => line.split_once(' '),
            Value::Array(pair) => match pair.as_slice() {
                [a, b] => a.as_str().zip(b.as_str()),
                _ => None,
            },
            _ => None,
        })
    }
}

fn number(id: &Value, token: &str) -> Result<u32, TokenizeError> {
    let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
    id.ok_or_else(|| TokenizeError::Ids(format!("the id of {token:?} is no number of 32 bits")))
}

/// What is found under `key` in entries that are sorted by it.
fn find<'a, T, K: Ord + ?Sized>(entries: &'a [T], of: impl Fn(&T) -> &K, key: &K) -> Option<&'a T> {
    entries.binary_search_by(|entry| of(entry).cmp(key)).ok().map(|at| &entries[at])
}

/// The letters that stand for bytes in a byte-level vocabulary, by byte: printable Latin-1 for itself, from U+0100 on the
/// rest.
fn letters() -> Vec<char> {
    let mut rest = '\u{100}'..;
    let mut letter = |byte: u8| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        _ => rest.next().unwrap_or_default(),
    };
    (0..=255).map(&mut letter).collect()
}

impl Bpe {
    pub(crate) fn new(json: &[u8]) -> Result<Self, TokenizeError> {
        let file = File::parse(json)?;
        let (letters, mut names, special) = (letters(), file.vocabulary()?, file.special()?);
        let id = |token: &str| find(&names, |(name, _)| name.as_str(), token).map(|(_, id)| *id);
        let mut bytes = Vec::with_capacity(256);
        for (byte, letter) in letters.iter().enumerate() {
            let token = id(letter.encode_utf8(&mut [0; 4]));
            bytes.push(token.ok_or_else(|| TokenizeError::Ids(format!("it has no token for the byte {byte}")))?);
        }
        let mut merges = Vec::new();
        for (rank, pair) in file.merges().enumerate() {
            let (a, b) = pair.ok_or_else(|| TokenizeError::Ids(format!("merge {rank} is not of two tokens")))?;
            let merge = id(a).zip(id(b)).zip(id(&[a, b].concat()));
            let (pair, both) =
                merge.ok_or_else(|| TokenizeError::Ids(format!("merge {rank}, of {a:?} and {b:?}, names no token")))?;
            merges.push((pair, (rank as u32, both)));
        }
        // Of a pair that is there twice the library keeps the later one.
        merges.sort_unstable_by_key(|&(pair, (rank, _))| (pair, Reverse(rank)));
        merges.dedup_by_key(|(pair, _)| *pair);
        for (token, id) in &special {
            match find(&names, |(name, _)| name.as_str(), token.as_str()) {
                Some((_, other)) if other == id => {}
                Some(_) => {
                    return Err(TokenizeError::Ids(format!(
                        "the added token {token:?} has the id {id}, and another by the rest of the file"
                    )));
                }
                None => {
                    names.push((token.clone(), *id));
                    names.sort_unstable();
                }
            }
        }
        let mut by_id: Vec<(u32, &str)> = names.iter().map(|(token, id)| (*id, token.as_str())).collect();
        by_id.sort_unstable();
        if let Some([(id, a), (_, b)]) = by_id.array_windows().find(|[(a, _), (b, _)]| a == b) {
            return Err(TokenizeError::Ids(format!("the tokens {a:?} and {b:?} both have the id {id}")));
        }
        let largest = by_id.last().map(|(id, token)| (token.to_string(), *id));
        let largest = largest.ok_or_else(|| TokenizeError::Ids("it has no tokens".into()))?;
        let text = |token: &str| -> Vec<u8> {
            let byte = |letter| letters.iter().position(|&other| other == letter).map(|byte| byte as u8);
            let bytes: Option<Vec<u8>> = token.chars().map(byte).collect();
            // One that was added as it is.
            bytes.unwrap_or_else(|| token.as_bytes().to_vec())
        };
        let ordinary = by_id.iter().filter(|(id, _)| !special.iter().any(|(_, other)| other == id));
        let texts = ordinary.map(|(id, token)| (*id, text(token))).collect();
        Ok(Bpe { bytes, merges, texts, names, special, largest, parse_special: false, ignored: file.ignored() })
    }

    pub(crate) fn ignored(&self) -> &[&'static str] {
        &self.ignored
    }

    pub(crate) fn largest(&self) -> (&str, u32) {
        (&self.largest.0, self.largest.1)
    }

    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        find(&self.names, |(name, _)| name.as_str(), token).map(|(_, id)| *id)
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
            find(&self.merges, |(pair, _)| pair, &pair).map(|(_, (rank, both))| Reverse((*rank, a, pair, *both)))
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
        let Some((_, bytes)) = find(&self.texts, |(id, _)| id, &token) else { return String::new() };
        memory.before.iter_mut().for_each(|step| step.started = true);
        bytes.iter().map(|&byte| memory.bytes.push(byte.into())).collect()
    }
}
