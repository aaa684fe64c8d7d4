//! Streaming decoding: a tokenizer and its state.

use crate::{DecoderMemory, Tokenizer};
use alloc::string::String;

/// Decodes token by token: a character of several tokens is returned whole, when its last one arrives.
///
/// A stream holds at most one token of text, for any tokens.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    tokenizer: &'a Tokenizer,
    memory: DecoderMemory,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer) -> Self {
        Decoder { tokenizer, memory: tokenizer.decoder_memory() }
    }

    /// The text that `token` completes; may be empty.
    pub fn push(&mut self, token: u32) -> String {
        self.tokenizer.push(&mut self.memory, token)
    }

    /// The remaining text when no more tokens follow: an incomplete character, as `U+FFFD`.
    pub fn finish(&mut self) -> String {
        self.tokenizer.finish(&mut self.memory)
    }
}
