//! The second stage of a head with bounded logits: the remaining candidates are computed.

use super::dispatch::exact;
use super::outcome::WhyFull;
use super::shape::fetch;
use crate::kernels::Kernels;
use crate::top::{Top, TopLogit};

/// Rows whose logits are computed together.
pub(super) const BATCH: usize = 64;
/// Bounds that are scanned before the threshold is updated.
const SCANNED: usize = 1024;

/// The bounds may leave at most one in this many rows: they are scattered, and more of them cost more than all rows in
/// order.
const SHARE: usize = 16;
/// Bytes of rows that may fit a near cache, where scattered rows cost less, and reading all of them would evict data
/// that the next token reads.
const NEAR: usize = 2 << 20;
/// [`SHARE`] for those: a quarter decodes `stories-bpe4k` a tenth faster than a sixteenth, on a Xeon with 2 MB of L2.
const NEAR_SHARE: usize = 4;

/// Rows of a head and their activations.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub kernels: Kernels,
    pub rows: &'a [i8],
    pub row_scales: &'a [f32],
    pub q: &'a [i16],
    pub scale: f32,
}

impl Part<'_> {
    /// The logits of `logits.len()` rows starting at `first`.
    pub fn logits(&self, first: usize, logits: &mut [f32]) {
        let (d, row_scales) = (self.q.len(), &self.row_scales[first..][..logits.len()]);
        let rows = &self.rows[first * d..][..logits.len() * d];
        self.kernels.head_int8(rows, row_scales, self.q, self.scale, logits);
    }

    /// Computes the logits of up to [`BATCH`] tokens.
    fn compute(&self, batch: &mut [TopLogit]) {
        let (mut tokens, mut dots) = ([0; BATCH], [0; BATCH]);
        for (token, top) in tokens.iter_mut().zip(&*batch) {
            *token = top.token;
        }
        exact(self.kernels.isa, self.rows, &tokens[..batch.len()], self.q, &mut dots[..batch.len()]);
        for (top, &dot) in batch.iter_mut().zip(&dots) {
            top.logit = dot as f32 * (self.row_scales[top.token as usize] * self.scale);
        }
    }

    /// Prefetches a row that will be read soon: the remaining rows are scattered, and each would stall.
    fn fetch(&self, token: u32) {
        fetch(&self.rows[token as usize * self.q.len()..][..self.q.len()]);
    }
}

/// A search for the largest logits of a part, with bounds that arrive in pieces.
pub(super) struct Search<'a> {
    part: Part<'a>,
    /// From the first piece on, the largest logits so far, in order.
    top: &'a mut [TopLogit],
    /// The threshold that another logit has to reach.
    mark: Option<f32>,
    /// Logits computed.
    exact: usize,
    gave_up: Option<WhyFull>,
}

impl<'a> Search<'a> {
    /// For the `top.len()` largest, at least one.
    pub fn new(part: Part<'a>, top: &'a mut [TopLogit]) -> Self {
        Search { part, top, mark: None, exact: 0, gave_up: None }
    }

    /// Processes the bounds of the rows starting at `first`, each piece once; the first piece has at least as many rows
    /// as winners are requested. The bounds are overwritten.
    pub fn look(&mut self, first: usize, bounds: &mut [f32]) {
        if self.gave_up.is_some() {
            return;
        }
        let mark = self.mark.map_or_else(|| self.begin(first, bounds), Ok);
        match mark.and_then(|mark| self.look_from(mark, first, bounds)) {
            Ok(mark) => self.mark = Some(mark),
            Err(why) => self.gave_up = Some(why),
        }
    }

    /// The number of logits computed, if the search completed.
    pub fn finish(self) -> Result<usize, WhyFull> {
        self.gave_up.map_or(Ok(self.exact), Err)
    }

    /// Computes the rows with the largest bounds of a piece. The least of those logits is the threshold.
    fn begin(&mut self, first: usize, bounds: &mut [f32]) -> Result<f32, WhyFull> {
        self.part.kernels.top(bounds, self.top);
        for batch in self.top.chunks_mut(BATCH) {
            for top in &mut *batch {
                // No longer a candidate.
                bounds[top.token as usize] = f32::NEG_INFINITY;
                top.token += first as u32;
            }
            self.part.compute(batch);
        }
        self.exact = self.top.len();
        self.top.sort_unstable_by(TopLogit::order);
        match self.top.last() {
            Some(last) if last.logit > f32::NEG_INFINITY => Ok(last.logit),
            _ => Err(WhyFull::Scale),
        }
    }

    /// Computes the rows that reach the threshold; returns the new threshold.
    fn look_from(&mut self, mut mark: f32, first: usize, bounds: &[f32]) -> Result<f32, WhyFull> {
        let share = if self.part.rows.len() <= NEAR { NEAR_SHARE } else { SHARE };
        let most = (self.part.row_scales.len() / share).max(BATCH);
        let (mut batch, mut waiting) = ([TopLogit::default(); BATCH], 0);
        let mut found = [0; SCANNED];
        for (start, bounds) in (first as u32..).step_by(SCANNED).zip(bounds.chunks(SCANNED)) {
            let n = self.part.kernels.not_below(bounds, 1.0, mark, &mut found[..bounds.len()]);
            self.exact += n;
            if self.exact > most {
                return Err(WhyFull::Candidates { rows: self.exact });
            }
            for &i in &found[..n] {
                let token = start + i;
                self.part.fetch(token);
                batch[waiting].token = token;
                waiting += 1;
                if waiting == BATCH {
                    mark = self.join(&mut batch);
                    waiting = 0;
                }
            }
        }
        if waiting > 0 {
            mark = self.join(&mut batch[..waiting]);
        }
        Ok(mark)
    }

    /// Computes the logits of a batch and merges them into the winners; returns the least logit among the winners.
    fn join(&mut self, batch: &mut [TopLogit]) -> f32 {
        self.part.compute(batch);
        let mut winners = Top::full(self.top);
        for &candidate in &*batch {
            winners.offer(candidate);
        }
        winners.last()
    }
}
