//! The largest logits, in order.

use crate::kernels::Kernels;
use crate::vector::LANES;
use core::cmp::Ordering;

/// A logit and its token.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TopLogit {
    /// The token's id.
    pub token: u32,
    /// Its logit.
    pub logit: f32,
}

impl TopLogit {
    /// The order of candidates: the larger logit first; among equal ones (+0 equals -0) the lower token; a NaN after
    /// every number, regardless of its sign, because targets differ in the sign of the NaNs they produce.
    pub fn order(&self, other: &Self) -> Ordering {
        let by_logit = other.logit.partial_cmp(&self.logit);
        let by_logit = by_logit.unwrap_or_else(|| self.logit.is_nan().cmp(&other.logit.is_nan()));
        by_logit.then(self.token.cmp(&other.token))
    }
}

/// The best of the candidates offered so far, in order, in a slice with the requested length.
pub(crate) struct Top<'t> {
    kept: &'t mut [TopLogit],
    len: usize,
}

impl<'t> Top<'t> {
    pub fn new(room: &'t mut [TopLogit]) -> Self {
        Top { kept: room, len: 0 }
    }

    /// From as many candidates as requested, in order.
    pub fn full(kept: &'t mut [TopLogit]) -> Self {
        Top { len: kept.len(), kept }
    }

    /// Inserts the candidate in order, or drops it.
    pub fn offer(&mut self, candidate: TopLogit) {
        let kept = &self.kept[..self.len];
        let is_full = self.len == self.kept.len();
        if is_full && kept.last().is_none_or(|last| last.order(&candidate).is_lt()) {
            return;
        }
        let place = kept.partition_point(|kept| kept.order(&candidate).is_lt());
        if !is_full {
            self.len += 1;
        }
        self.kept.copy_within(place..self.len - 1, place + 1);
        self.kept[place] = candidate;
    }

    /// The threshold for another candidate: the last logit, or below all numbers until the slice is full.
    pub fn last(&self) -> f32 {
        if self.len < self.kept.len() { f32::NEG_INFINITY } else { self.kept[self.len - 1].logit }
    }
}

impl Kernels {
    /// Fills `top` with the largest of `logits`, in their [order](TopLogit::order).
    ///
    /// # Panics
    /// If more are requested than there are.
    pub fn top(&self, logits: &[f32], top: &mut [TopLogit]) {
        assert!(top.len() <= logits.len(), "the {} largest of {} values", top.len(), logits.len());
        match top {
            [] => {}
            [first] => {
                let token = self.argmax(logits);
                *first = TopLogit { token, logit: logits[token as usize] };
            }
            _ => fill(*self, logits, top),
        }
    }
}

/// Values that are checked together.
pub(crate) const BLOCK: usize = LANES;

/// Fills `top` with the largest of `logits`, of which there are at least as many.
fn fill(kernels: Kernels, logits: &[f32], top: &mut [TopLogit]) {
    let mut kept = Top::new(top);
    let mut at = 0;
    while at < logits.len() {
        for (token, &logit) in (at as u32..).zip(&logits[at..logits.len().min(at + BLOCK)]) {
            kept.offer(TopLogit { token, logit });
        }
        at += BLOCK;
        // Until the slice is full of numbers, a NaN may be inserted too.
        let last = kept.last();
        if last > f32::NEG_INFINITY {
            at = kernels.next_block(logits, at, last);
        }
    }
}
