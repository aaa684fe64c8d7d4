//! Byte-level tokenization.

use alloc::string::String;
use alloc::vec::Vec;

/// The byte-level tokenizer: token `b` is the byte `b`. Tokens above 255 have no text.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteTokenizer;

impl ByteTokenizer {
    /// One token per byte.
    pub fn encode(self, text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    /// The text of `tokens`; bytes that are not UTF-8 and tokens above 255 become `U+FFFD`.
    pub fn decode(self, tokens: &[u32]) -> String {
        let mut decoder = ByteDecoder::default();
        let mut text: String = tokens.iter().map(|&token| decoder.push(token)).collect();
        text.push_str(&decoder.finish());
        text
    }
}

/// How many `U+FFFD` replace bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// One for the valid beginning of a character, as in the standard library.
    #[default]
    EachCharacter,
    /// One for each byte.
    EachByte,
}

/// Streaming decoding of bytes: a character of several bytes is returned whole, when its last byte arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByteDecoder {
    /// Bytes of an incomplete character.
    pending: Vec<u8>,
    invalid: Invalid,
}

impl ByteDecoder {
    pub(crate) fn new(invalid: Invalid) -> Self {
        ByteDecoder { pending: Vec::new(), invalid }
    }

    /// The bytes of an incomplete character.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.pending
    }

    pub(crate) fn set_pending(&mut self, pending: &[u8]) {
        self.pending.clear();
        self.pending.extend_from_slice(pending);
    }

    /// The text that `token` completes; may be empty.
    pub fn push(&mut self, token: u32) -> String {
        let mut out = String::new();
        match u8::try_from(token) {
            Ok(byte) => self.pending.push(byte),
            Err(_) => {
                out = self.finish();
                out.push(char::REPLACEMENT_CHARACTER);
                return out;
            }
        }
        loop {
            match core::str::from_utf8(&self.pending) {
                Ok(text) => {
                    out.push_str(text);
                    self.pending.clear();
                    return out;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    out.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    let Some(bad) = error.error_len() else {
                        self.pending.drain(..valid);
                        return out;
                    };
                    self.replace(bad, &mut out);
                    self.pending.drain(..valid + bad);
                }
            }
        }
    }

    /// The remaining text when no more tokens follow.
    pub fn finish(&mut self) -> String {
        let mut rest = String::new();
        // At most one incomplete character: complete ones were already returned.
        if !self.pending.is_empty() {
            self.replace(self.pending.len(), &mut rest);
            self.pending.clear();
        }
        rest
    }

    fn replace(&self, bytes: usize, out: &mut String) {
        let count = if self.invalid == Invalid::EachByte { bytes } else { 1 };
        out.extend(core::iter::repeat_n(char::REPLACEMENT_CHARACTER, count));
    }
}
