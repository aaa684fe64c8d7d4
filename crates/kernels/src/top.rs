//! The largest logits, in order.

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
    /// The order of candidates: the larger logit first, of equal ones (+0 equals -0) the lower token; a NaN after every
    /// number, whatever its sign, because targets differ in the sign of the NaN that they make.
    pub fn order(&self, other: &Self) -> Ordering {
        let by_logit = other.logit.partial_cmp(&self.logit);
        let by_logit = by_logit.unwrap_or_else(|| self.logit.is_nan().cmp(&other.logit.is_nan()));
        by_logit.then(self.token.cmp(&other.token))
    }
}

/// The first of the candidates offered so far, in order, in a slice with room for as many as are wanted.
pub(crate) struct Top<'t> {
    kept: &'t mut [TopLogit],
    len: usize,
}

impl<'t> Top<'t> {
    pub fn new(room: &'t mut [TopLogit]) -> Self {
        Top { kept: room, len: 0 }
    }

    /// Takes its place in the order, or goes.
    pub fn offer(&mut self, candidate: TopLogit) {
        let mut place = self.len;
        while place > 0 && candidate.order(&self.kept[place - 1]).is_lt() {
            place -= 1;
        }
        if place == self.kept.len() {
            return;
        }
        self.len = (self.len + 1).min(self.kept.len());
        self.kept.copy_within(place..self.len - 1, place + 1);
        self.kept[place] = candidate;
    }
}

/// Fills `top` with the largest of `logits`, which are at least as many.
pub(crate) fn top(logits: &[f32], top: &mut [TopLogit]) {
    let mut kept = Top::new(top);
    for (token, &logit) in (0..).zip(logits) {
        kept.offer(TopLogit { token, logit });
    }
}
