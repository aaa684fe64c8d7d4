//! Where an answer diverges from its golden stream.

use super::stream::Stream;
use bitstate_protocol::{Digest, StreamAnswer};
use std::fmt;
use std::ops::Range;

/// The first step at which an answer diverges from the golden stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Step, from 0: the index of the generated token.
    pub step: usize,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Logits { golden: Digest, found: Digest },
    Token { golden: u32, found: u32 },
    Length { golden: usize, found: usize },
}

impl Divergence {
    /// Compares the first `limit` steps, or all of them.
    pub fn find(golden: &Stream, found: &StreamAnswer, limit: Option<usize>) -> Option<Self> {
        Self::in_part(golden, 0..limit.unwrap_or(usize::MAX), found)
    }

    /// Compares an answer that is only a part of the stream. Steps count from the beginning of the stream.
    pub fn in_part(golden: &Stream, part: Range<usize>, found: &StreamAnswer) -> Option<Self> {
        let (start, end) = (part.start, part.end.min(golden.tokens.len()));
        let (golden_len, found_len) = (end.saturating_sub(start), found.tokens.len().min(part.len()));
        for i in 0..golden_len.min(found_len) {
            let step = start + i;
            let (want, got) = (golden.digests[step], found.digests[i]);
            if want != got {
                return Some(Divergence { step, what: What::Logits { golden: want, found: got } });
            }
            let (want, got) = (golden.tokens[step], found.tokens[i]);
            if want != got {
                return Some(Divergence { step, what: What::Token { golden: want, found: got } });
            }
        }
        let what = What::Length { golden: golden_len, found: found_len };
        (golden_len != found_len).then_some(Divergence { step: start + golden_len.min(found_len), what })
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "first divergent step {}: ", self.step)?;
        match &self.what {
            What::Logits { golden, found } => write!(f, "logits digest {found}, golden {golden}"),
            What::Token { golden, found } => write!(f, "token {found}, golden {golden}, from the same logits"),
            What::Length { golden, found } => write!(f, "the answer has {found} tokens, the golden stream {golden}"),
        }
    }
}
