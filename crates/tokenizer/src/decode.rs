//! Streaming decoding. The concatenated pieces equal the text of all tokens, and a stream holds at most one token.
//!
//! The library's own stream fails if a token changes earlier text, as bytes that are not UTF-8 do. Here the decoder of
//! a `tokenizer.json` is a chain of steps, each of which keeps the state it needs to continue:
//!
//! ```text
//! id → token → steps up to the join → bytes of UTF-8 → text → steps after it → text
//!      (Replace, Metaspace, WordPiece, Strip, CTC, BPE)       (Strip)
//! ```
//!
//! The text is the library's, with one difference: in a run of tokens such as `<0xE2>` in which some bytes are not
//! UTF-8, the library replaces all by U+FFFD, however long the run is. Here its valid characters are kept.

use crate::DecoderError;
use crate::byte::Invalid;
use crate::json::Json;
use crate::memory::{DecoderMemory, StepMemory as Memory};
use std::collections::HashMap;
use std::sync::LazyLock;
use tokenizers::Decoder as _;
use tokenizers::DecoderWrapper;

/// Most characters that are stripped: their counters have 32 bits.
const MOST: usize = u32::MAX as usize;

/// The steps of a `tokenizer.json`'s decoder.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    /// On tokens, before they are joined.
    before: Vec<Step>,
    /// On the joined text, one piece at a time.
    behind: Vec<Step>,
    invalid: Invalid,
}

#[derive(Debug, Clone)]
enum Step {
    /// Works on a single token and only depends on whether it is the first.
    Each(DecoderWrapper),
    /// Removes at most `start` characters from the front, and `stop` from the end.
    Strip { content: char, start: usize, stop: usize },
    /// Removes from the last token the suffix that stands for the end of a word in the others.
    WordEnd(String),
    /// Drops a token that repeats the previous one.
    Once(DecoderWrapper),
    /// Without a decoder, tokens are separated by a space.
    Spaces,
    /// `<0xE2>` is a byte.
    ByteTokens,
    /// Each letter is a byte; `Ġ` is a space.
    ByteLetters,
}

impl Steps {
    pub(crate) fn new(decoder: Option<&DecoderWrapper>) -> Self {
        let mut steps = Steps { before: Vec::new(), behind: Vec::new(), invalid: Invalid::EachByte };
        let mut joined = false;
        match decoder {
            None => steps.before.push(Step::Spaces),
            Some(decoder) => steps.add(decoder, &mut joined),
        }
        steps
    }

    fn add(&mut self, decoder: &DecoderWrapper, joined: &mut bool) {
        let step = match decoder {
            DecoderWrapper::Sequence(steps) => {
                steps.get_decoders().iter().for_each(|decoder| self.add(decoder, joined));
                return;
            }
            DecoderWrapper::Fuse(_) => {
                *joined = true;
                return;
            }
            // These convert tokens to bytes; after the join there are no tokens.
            DecoderWrapper::ByteLevel(_) | DecoderWrapper::ByteFallback(_) if *joined => return,
            DecoderWrapper::ByteLevel(_) => {
                self.invalid = Invalid::EachCharacter;
                self.before.push(Step::ByteLetters);
                *joined = true;
                return;
            }
            DecoderWrapper::ByteFallback(_) => Step::ByteTokens,
            DecoderWrapper::BPE(bpe) => Step::WordEnd(bpe.suffix.clone()),
            DecoderWrapper::CTC(_) => Step::Once(decoder.clone()),
            DecoderWrapper::Strip(s) => {
                Step::Strip { content: s.content, start: s.start.min(MOST), stop: s.stop.min(MOST) }
            }
            DecoderWrapper::WordPiece(_) | DecoderWrapper::Metaspace(_) | DecoderWrapper::Replace(_) => {
                Step::Each(decoder.clone())
            }
        };
        if *joined { self.behind.push(step) } else { self.before.push(step) }
    }
}

/// What one step passes to the next.
enum Piece {
    Text(String),
    Bytes(Vec<u8>),
}

impl Step {
    /// Processes one token.
    fn on_token(&self, piece: Piece, memory: &mut Memory) -> Option<Piece> {
        let first = !std::mem::replace(&mut memory.started, true);
        let Piece::Text(token) = piece else { return Some(piece) };
        Some(Piece::Text(match self {
            Step::Each(decoder) => each(decoder, token, first),
            Step::Strip { content, start, stop } => strip(&token, *content, *start, *stop),
            Step::WordEnd(suffix) => memory.token.replace(token)?.replace(suffix, " "),
            Step::Once(decoder) => {
                if memory.token.as_ref() == Some(&token) {
                    return None;
                }
                memory.token = Some(token.clone());
                each(decoder, token, true)
            }
            Step::Spaces if first => token,
            Step::Spaces => format!(" {token}"),
            Step::ByteTokens => match byte_token(&token) {
                Some(byte) => return Some(Piece::Bytes(vec![byte])),
                None => token,
            },
            Step::ByteLetters => return Some(Piece::Bytes(letters(&token))),
        }))
    }

    /// Releases a token that was held back, when no more tokens follow.
    fn last_token(&self, memory: &mut Memory) -> Option<Piece> {
        match self {
            Step::WordEnd(suffix) => memory.token.take().map(|token| Piece::Text(token.replace(suffix, ""))),
            _ => None,
        }
    }

    /// Processes a piece of joined text.
    fn on_text(&self, text: String, memory: &mut Memory) -> String {
        if text.is_empty() {
            return text;
        }
        let first = !std::mem::replace(&mut memory.started, true);
        match self {
            Step::Each(decoder) => each(decoder, text, first),
            Step::Strip { content, start, stop } => {
                let [stripped, held] = &mut memory.counts;
                let mut out = String::new();
                for c in text.chars() {
                    if c == *content && (*stripped as usize) < *start {
                        *stripped += 1;
                    } else if c == *content {
                        *held += 1;
                        if *held as usize > *stop {
                            out.push(c);
                            *held -= 1;
                        }
                    } else {
                        *stripped = *start as u32;
                        out.extend(std::iter::repeat_n(*content, std::mem::take(held) as usize));
                        out.push(c);
                    }
                }
                out
            }
            // These have no effect on joined text.
            Step::WordEnd(_) | Step::Once(_) | Step::Spaces | Step::ByteTokens | Step::ByteLetters => text,
        }
    }
}

/// Decodes a token with the library's own step; returns it unchanged if that fails.
fn each(decoder: &DecoderWrapper, token: String, first: bool) -> String {
    let tokens = if first { vec![token.clone()] } else { vec!["a".into(), token.clone()] };
    match decoder.decode_chain(tokens) {
        // The library may drop a token that became empty.
        Ok(mut tokens) if tokens.len() > usize::from(!first) => tokens.pop().unwrap_or_default(),
        Ok(_) => String::new(),
        Err(_) => token,
    }
}

fn strip(token: &str, content: char, start: usize, stop: usize) -> String {
    let front = token.chars().take(start).take_while(|&c| c == content).count();
    let back = token.chars().rev().take(stop).take_while(|&c| c == content).count();
    let left = token.chars().count().saturating_sub(front + back);
    token.chars().skip(front).take(left).collect()
}

/// The byte of a token such as `<0xE2>`.
fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>').filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

/// The letters that represent bytes in a byte-level vocabulary: printable Latin-1 for itself, from U+0100 the rest.
static LETTERS: LazyLock<HashMap<char, u8>> = LazyLock::new(|| {
    let mut rest = '\u{100}'..;
    let mut letter = |byte: u8| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => Some(char::from(byte)),
        _ => rest.next(),
    };
    (0..=255).filter_map(|byte| Some((letter(byte)?, byte))).collect()
});

/// The bytes of a token of a byte-level vocabulary; the UTF-8 of an added token.
fn letters(token: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = token.chars().map(|letter| LETTERS.get(&letter).copied()).collect();
    bytes.unwrap_or_else(|| token.as_bytes().to_vec())
}

impl Steps {
    /// The initial state of a stream.
    pub(crate) fn memory(&self) -> DecoderMemory {
        DecoderMemory::new(self.before.len(), self.invalid, self.behind.len())
    }

    /// Checks a restored state: it cannot hold back more than the steps do.
    pub(crate) fn check(&self, memory: &DecoderMemory) -> Result<(), DecoderError> {
        let steps = self.before.iter().chain(&self.behind).zip(memory.before.iter().chain(&memory.behind));
        for (step, Memory { counts: [stripped, held], .. }) in steps {
            let most = if let Step::Strip { start, stop, .. } = step { [*start, *stop] } else { [0, 0] };
            if *stripped as usize > most[0] || *held as usize > most[1] {
                let problem = "is more than the tokenizer strips";
                return Err(DecoderError { field: "a count of a step", offset: 0, problem });
            }
        }
        Ok(())
    }

    /// The text that `token` completes; may be empty.
    pub(crate) fn push(&self, memory: &mut DecoderMemory, json: &Json, token: u32) -> String {
        json.ordinary(token).map_or_else(String::new, |token| self.run(memory, 0, Piece::Text(token)))
    }

    /// The remaining text when no more tokens follow.
    pub(crate) fn finish(&self, memory: &mut DecoderMemory) -> String {
        let mut out = String::new();
        for (i, step) in self.before.iter().enumerate() {
            if let Some(piece) = step.last_token(&mut memory.before[i]) {
                out.push_str(&self.run(memory, i + 1, piece));
            }
        }
        let rest = memory.bytes.finish();
        out.push_str(&self.behind(memory, rest));
        out
    }

    /// Passes a piece through the steps, starting at `from`, and returns its text.
    fn run(&self, memory: &mut DecoderMemory, from: usize, mut piece: Piece) -> String {
        for (step, memory) in self.before.iter().zip(&mut memory.before).skip(from) {
            match step.on_token(piece, memory) {
                Some(next) => piece = next,
                None => return String::new(),
            }
        }
        let text = match piece {
            Piece::Bytes(bytes) => bytes.iter().map(|&byte| memory.bytes.push(byte.into())).collect(),
            Piece::Text(text) => memory.bytes.finish() + &text,
        };
        self.behind(memory, text)
    }

    fn behind(&self, memory: &mut DecoderMemory, text: String) -> String {
        let pairs = self.behind.iter().zip(&mut memory.behind);
        pairs.fold(text, |text, (step, memory)| step.on_text(text, memory))
    }
}
