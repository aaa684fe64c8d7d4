//! A stream of text: a tokenizer and what it remembers of the tokens so far.

use crate::{DecoderMemory, Tokenizer};
use alloc::string::String;

/// Text token by token: a character of several tokens comes out whole, with its last one.
///
/// A stream remembers a token of text at most, whatever tokens come.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    tokenizer: &'a Tokenizer,
    memory: DecoderMemory,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer) -> Self {
        Decoder { tokenizer, memory: tokenizer.decoder_memory() }
    }

    /// The text that `token` completes, perhaps none.
    pub fn push(&mut self, token: u32) -> String {
        self.tokenizer.push(&mut self.memory, token)
    }

    /// The text that is left when no more tokens come: the beginning of a character, as `U+FFFD`.
    pub fn finish(&mut self) -> String {
        self.tokenizer.finish(&mut self.memory)
    }
}
