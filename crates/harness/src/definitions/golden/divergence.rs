//! Where an answer diverges from its golden stream.

use super::stream::Stream;
use bitstate_protocol::{Digest, StreamAnswer};
use std::fmt;

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
        let limit = limit.unwrap_or(usize::MAX);
        let (golden_len, found_len) = (golden.tokens.len().min(limit), found.tokens.len().min(limit));
        for step in 0..golden_len.min(found_len) {
            let (want, got) = (golden.digests[step], found.digests[step]);
            if want != got {
                return Some(Divergence { step, what: What::Logits { golden: want, found: got } });
            }
            let (want, got) = (golden.tokens[step], found.tokens[step]);
            if want != got {
                return Some(Divergence { step, what: What::Token { golden: want, found: got } });
            }
        }
        let what = What::Length { golden: golden_len, found: found_len };
        (golden_len != found_len).then_some(Divergence { step: golden_len.min(found_len), what })
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
