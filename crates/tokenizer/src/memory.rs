//! What a stream of text remembers of its tokens, and its saved form.

use crate::byte::{ByteDecoder, Invalid};
use alloc::string::String;
use alloc::vec::Vec;

/// What decoding token by token remembers: a token of text at most, and the beginning of a character, whatever tokens
/// came. It belongs to the tokenizer that made it; [`Decoder`](crate::Decoder) is both together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderMemory {
    /// Of the steps on tokens.
    pub(crate) before: Vec<StepMemory>,
    pub(crate) bytes: ByteDecoder,
    /// Of the steps on joined text.
    pub(crate) behind: Vec<StepMemory>,
}

/// What a step remembers of the tokens that it has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StepMemory {
    /// Whether there was one.
    pub started: bool,
    /// A token held back, or the one before.
    pub token: Option<String>,
    /// Characters to strip from the front, so far, and held back at the end.
    pub counts: [u32; 2],
}

/// Bytes that are not what a stream of this tokenizer remembers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset} of the decoder's memory: {field} {problem}")]
pub struct DecoderError {
    /// What is wrong.
    pub field: &'static str,
    /// Where it begins.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

const STARTED: u8 = 1;
const TOKEN: u8 = 2;

impl DecoderMemory {
    pub(crate) fn new(before: usize, invalid: Invalid, behind: usize) -> Self {
        let steps = |n| (0..n).map(|_| StepMemory::default()).collect();
        DecoderMemory { before: steps(before), bytes: ByteDecoder::new(invalid), behind: steps(behind) }
    }

    /// The saved form: the bytes of an unfinished character and their number before them (u8); then of each step of the
    /// tokenizer's decoder flags (u8: 1 it has begun, 2 it holds a token), two counts (u32), and where it holds a token the
    /// length (u32) and the UTF-8 of it. Little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let pending = self.bytes.pending();
        let mut bytes = Vec::with_capacity(1 + pending.len() + 16 * (self.before.len() + self.behind.len()));
        bytes.push(pending.len() as u8);
        bytes.extend(pending);
        for step in self.before.iter().chain(&self.behind) {
            let token = if step.token.is_some() { TOKEN } else { 0 };
            bytes.push(token | if step.started { STARTED } else { 0 });
            step.counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
            if let Some(token) = &step.token {
                bytes.extend((token.len() as u32).to_le_bytes());
                bytes.extend(token.as_bytes());
            }
        }
        bytes
    }

    /// Takes over a saved form of a memory with as many steps.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), DecoderError> {
        let mut saved = Saved { bytes, offset: 0 };
        let [length] = saved.array("the length of the unfinished character")?;
        let pending = saved.take("the unfinished character", length.into())?;
        let unfinished = core::str::from_utf8(pending).err();
        let unfinished = unfinished.is_some_and(|error| error.error_len().is_none() && error.valid_up_to() == 0);
        if !pending.is_empty() && !unfinished {
            return Err(saved.wrong("the unfinished character", "is not the beginning of one"));
        }
        self.bytes.set_pending(pending);
        for step in self.before.iter_mut().chain(&mut self.behind) {
            let [flags] = saved.array("the flags of a step")?;
            if flags & !(STARTED | TOKEN) != 0 {
                return Err(saved.wrong("the flags of a step", "are of another version"));
            }
            step.started = flags & STARTED != 0;
            step.counts = [saved.u32("a count of a step")?, saved.u32("a count of a step")?];
            step.token = None;
            if flags & TOKEN != 0 {
                let length = saved.u32("the length of a held token")?;
                let token = core::str::from_utf8(saved.take("a held token", length as usize)?);
                step.token = Some(token.map_err(|_| saved.wrong("a held token", "is not UTF-8"))?.into());
            }
        }
        if saved.offset != bytes.len() {
            return Err(saved.wrong("the end", "is followed by more"));
        }
        Ok(())
    }
}

/// A saved form being read.
struct Saved<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Saved<'a> {
    fn wrong(&self, field: &'static str, problem: &'static str) -> DecoderError {
        DecoderError { field, offset: self.offset, problem }
    }

    fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], DecoderError> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.get(..length).ok_or_else(|| self.wrong(field, "is cut off"))?;
        self.offset += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecoderError> {
        let taken = self.take(field, N)?;
        taken.try_into().map_err(|_| self.wrong(field, "is cut off"))
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, DecoderError> {
        self.array(field).map(u32::from_le_bytes)
    }
}
