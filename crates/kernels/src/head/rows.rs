//! The rows of an INT8 head in the layout of a variant.

use super::dispatch;
use super::shape::{Input, Line, ROWS, Rows};
use crate::kernels::{Kernels, same_length};
use alloc::vec::Vec;

/// The rows of an INT8 head in the layout of one variant, so that one pass over them serves one session or many: a
/// second copy of V × D bytes. Plain Rust gains nothing from a layout and uses the rows unchanged.
#[derive(Debug, Clone)]
pub struct HeadRows<'a> {
    kernels: Kernels,
    rows: &'a [i8],
    d: usize,
    blocks: Vec<Line>,
    /// `‖e‖` of each row.
    norms: Vec<f32>,
}

impl<'a> HeadRows<'a> {
    /// Lays out `rows`, of `d` values each, for `kernels`.
    ///
    /// # Panics
    /// If `d` is 0, more than [`MAX_N_EMBD`](crate::MAX_N_EMBD), or does not divide the length of `rows`.
    pub fn new(kernels: Kernels, rows: &'a [i8], d: usize) -> Self {
        assert!((1..=crate::MAX_N_EMBD).contains(&d), "the sums of a head {d} wide do not fit i32");
        assert!(rows.len().is_multiple_of(d), "{} values are no rows of {d}", rows.len());
        let blocks = dispatch::shape(kernels.isa).map(|shape| shape.lay_out(rows, d)).unwrap_or_default();
        // At most 128² · 1024: exact.
        let square = |e: &i8| i32::from(*e) * i32::from(*e);
        let norm = |row: &[i8]| libm::sqrtf(row.iter().map(square).sum::<i32>() as f32);
        HeadRows { kernels, rows, d, blocks, norms: rows.chunks_exact(d).map(norm).collect() }
    }

    /// Whether the variant has its own layout.
    pub(crate) fn are_laid_out(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// `logits_t = (rows · q_t) · (row_scales · scale_t)` for each of `scales.len()` sessions: `q` has D 15-bit values
    /// of each session, one session after the other, and `logits` V of each. Bit for bit equal to
    /// [`head_int8`](Kernels::head_int8) for each session alone.
    ///
    /// # Panics
    /// If the lengths differ from these.
    pub fn logits(&self, row_scales: &[f32], q: &[i16], scales: &[f32], logits: &mut [f32]) {
        let (d, v) = (self.d, self.norms.len());
        same_length(v, &[row_scales.len()]);
        same_length(scales.len() * d, &[q.len()]);
        same_length(scales.len() * v, &[logits.len()]);
        if v == 0 || scales.is_empty() {
            return;
        }
        let mut first = 0;
        if !self.blocks.is_empty() {
            let rows = Rows { blocks: &self.blocks, norms: &self.norms, scales: row_scales };
            let input = Input { rows, q, scales };
            dispatch::int8_many(self.kernels.isa, input, logits);
            first = v - v % ROWS;
        }
        // The rows that are not in a block.
        let (rows, row_scales) = (&self.rows[first * d..], &row_scales[first..]);
        for ((q, &scale), logits) in q.chunks_exact(d).zip(scales).zip(logits.chunks_exact_mut(v)) {
            self.kernels.head_int8(rows, row_scales, q, scale, &mut logits[first..]);
        }
    }

    /// If this variant has [`bounds`](HeadRows::bounds), the first row without one: fewer rows than a block remain.
    pub(crate) fn bounded_rows(&self) -> Option<usize> {
        let blocks = self.norms.len() - self.norms.len() % ROWS;
        dispatch::bounds_many_rows(self.kernels.isa).then_some(blocks)
    }

    /// Calls `each(t, first, bounds)` with upper bounds of the logits of session `t` for the rows starting at `first`.
    /// They hold if no row's scale, and no session's, is negative or makes a factor that is not finite: see
    /// `first_digit`. It takes half the time of the logits. Rows come in order, [`PIECE`] at a time, up to
    /// [`bounded_rows`](HeadRows::bounded_rows), for at most [`SESSIONS`].
    pub(crate) fn bounds(
        &self,
        row_scales: &[f32],
        q: &[i16],
        scales: &[f32],
        each: &mut dyn FnMut(usize, usize, &mut [f32]),
    ) {
        let rows = Rows { blocks: &self.blocks, norms: &self.norms, scales: row_scales };
        dispatch::bounds_many(self.kernels.isa, Input { rows, q, scales }, each);
    }
}
