//! The state of streaming decoding, and its serialized form.

use crate::byte::{ByteDecoder, Invalid};
use alloc::string::String;
use alloc::vec::Vec;

/// The state of streaming decoding: at most one token of text and an incomplete character, for any tokens. It belongs
/// to the tokenizer that created it; [`Decoder`](crate::Decoder) combines the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderMemory {
    /// State of the steps on tokens.
    pub(crate) before: Vec<StepMemory>,
    pub(crate) bytes: ByteDecoder,
    /// State of the steps on joined text.
    pub(crate) behind: Vec<StepMemory>,
}

/// A step's state after the tokens so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StepMemory {
    /// Whether there was a token.
    pub started: bool,
    /// A token held back, or the previous one.
    pub token: Option<String>,
    /// Characters stripped from the front so far, and held back at the end.
    pub counts: [u32; 2],
}

/// Bytes that are not the state of a stream of this tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset} of the decoder's memory: {field} {problem}")]
pub struct DecoderError {
    /// The wrong field.
    pub field: &'static str,
    /// Its offset in bytes.
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

    /// The serialized form: the number of bytes of an incomplete character (u8) and these bytes; then for each step of
    /// the tokenizer's decoder flags (u8: 1 it has started, 2 it holds a token), two counters (u32), and if it holds a
    /// token, its length (u32) and UTF-8. Little-endian.
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

    /// Restores a serialized state with the same number of steps.
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
            return Err(saved.wrong("the end", "is followed by more bytes"));
        }
        Ok(())
    }
}

/// Reads a serialized state.
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
        let taken = rest.get(..length).ok_or_else(|| self.wrong(field, "is truncated"))?;
        self.offset += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecoderError> {
        let taken = self.take(field, N)?;
        taken.try_into().map_err(|_| self.wrong(field, "is truncated"))
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, DecoderError> {
        self.array(field).map(u32::from_le_bytes)
    }
}
