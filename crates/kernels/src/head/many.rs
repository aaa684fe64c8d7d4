//! The INT8 head on a special row layout: one pass over the rows for one session or for many.
//!
//! A single session waits for its rows to arrive from memory. With many, the multiplications dominate, and the sums
//! across lanes, per row and session, would cost half as much again. So the rows are laid out once such that a lane
//! belongs to a row. (Repeating it in each call took 80 to 800 µs, depending on the instruction set, for a head of 8.2
//! MB.) A block has 16 rows, four *quads* of four. For a chunk of columns a block has 16 vectors: number `4j + quad`
//! contains, in each of its lanes `l` (128 bits of the multiplied data), one group of columns of each row:
//!
//! ```text
//! 32-bit part of lane l      0         1         2         3
//!                            row 0     row 1     row 2     row 3 of the quad, columns of group 4l + j
//! ```
//!
//! Group `4l + j` of the activations, broadcast over lane `l`, is multiplied with the same columns of four rows; then
//! only 128-bit lanes have to be added to each other. A group is the columns that are summed into 32 bits: 4 columns if
//! bytes are multiplied (and stored as `e + 128`, unsigned), 2 if they are widened to 16 bits on load.

use super::shape::{Input, Line, PIECE, ROWS, Rows, SESSIONS};
use crate::MAX_N_EMBD;

/// A vector of `COLUMNS` bytes of rows, of an instruction set.
pub(super) trait Quad<const COLUMNS: usize>: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;
    /// The activations for one such vector.
    type Spread: Copy;
    /// The sums of a quad.
    type Sums: Copy;

    fn zeros(isa: Self::Isa) -> Self::Sums;
    fn load_rows(isa: Self::Isa, e: &[i8; COLUMNS]) -> Self;
    /// Activations in the form that [`spread`](Self::spread) takes, in the same space.
    fn arrange(q: &[i16; COLUMNS]) -> [i16; COLUMNS];
    /// The activations for the vectors `j` of a chunk; `GROUP` has `j` in each of its four bit pairs, as shuffles take
    /// it.
    fn spread<const GROUP: i32>(isa: Self::Isa, q: &[i16; COLUMNS]) -> Self::Spread;
    fn add_products(self, sums: Self::Sums, q: Self::Spread) -> Self::Sums;
    /// The sums of the rows of four quads, in order.
    fn total(isa: Self::Isa, quads: [Self::Sums; 4]) -> [i32; ROWS];
    /// The surplus in a row's sum.
    fn surplus(q: &[i16]) -> i32;
    /// The error bound of a row's sum per unit of its norm.
    fn reach(_: &[i16]) -> f32 {
        0.0
    }
    /// The result for `row · q`: its sum, or a bound of it.
    #[inline(always)]
    fn result(sum: i32, _norm: f32, _reach: f32) -> f32 {
        sum as f32
    }
}

/// `logits_t = (rows · q_t) · (row_scales · scale_t)` for every session `t` and every row in a block, `TOGETHER`
/// sessions at a time.
#[inline(always)]
pub(super) fn int8<const COLUMNS: usize, const TOGETHER: usize, M: Quad<COLUMNS>>(
    isa: M::Isa,
    input: Input<'_>,
    logits: &mut [f32],
) {
    let Input { rows, q, scales } = input;
    let (d, v) = (q.len() / scales.len().max(1), rows.scales.len());
    if scales.len() == 1 {
        // Zeroing the space for all sessions would take longer than this one.
        let mut room = [0; MAX_N_EMBD];
        return Arranged::new::<M>(q, scales, &mut room).results::<TOGETHER, M>(isa, rows, v, logits);
    }
    let sessions = q.chunks(SESSIONS * d).zip(scales.chunks(SESSIONS)).zip(logits.chunks_mut(SESSIONS * v));
    for ((q, scales), logits) in sessions {
        let mut room = [0; SESSIONS * MAX_N_EMBD];
        let x = Arranged::new::<M>(q, scales, &mut room);
        x.results::<TOGETHER, M>(isa, rows, v, logits);
    }
}

/// Calls `each(t, first, results)` with the results of `M` for `rows · q_t`, times the factors, for the rows starting
/// at `first`: for every row in a block, [`PIECE`] at a time, and for every session, at most [`SESSIONS`].
#[inline(always)]
pub(super) fn piece_by_piece<const COLUMNS: usize, const TOGETHER: usize, M: Quad<COLUMNS>>(
    isa: M::Isa,
    input: Input<'_>,
    each: &mut dyn FnMut(usize, usize, &mut [f32]),
) {
    let Input { rows, q, scales } = input;
    let mut room = [0; SESSIONS * MAX_N_EMBD];
    let x = Arranged::new::<M>(q, scales, &mut room);
    let block_lines = x.width * ROWS * COLUMNS / 64;
    let pieces = rows.blocks.chunks(PIECE / ROWS * block_lines);
    let of_rows = rows.norms.chunks(PIECE).zip(rows.scales.chunks(PIECE));
    let mut results = [0.0; SESSIONS * PIECE];
    for ((first, blocks), (norms, row_scales)) in (0..).step_by(PIECE).zip(pieces).zip(of_rows) {
        let n = blocks.len() / block_lines * ROWS;
        x.results::<TOGETHER, M>(isa, Rows { blocks, norms, scales: row_scales }, PIECE, &mut results);
        for (t, results) in results.chunks_exact_mut(PIECE).take(scales.len()).enumerate() {
            each(t, first, &mut results[..n]);
        }
    }
}

/// The activations of some sessions.
struct Arranged<'a, const COLUMNS: usize> {
    /// In the form that [`Quad::spread`] takes, `width` per session.
    x: &'a [[i16; COLUMNS]],
    width: usize,
    scales: &'a [f32],
    surplus: [i32; SESSIONS],
    reach: [f32; SESSIONS],
}

impl<'a, const COLUMNS: usize> Arranged<'a, COLUMNS> {
    /// From up to [`SESSIONS`] sessions; `room` has the values of the widest head for each.
    #[inline(always)]
    fn new<M: Quad<COLUMNS>>(q: &[i16], scales: &'a [f32], room: &'a mut [i16]) -> Self {
        let d = q.len() / scales.len();
        let width = d.div_ceil(COLUMNS);
        let (mut surplus, mut reach) = ([0; SESSIONS], [0.0; SESSIONS]);
        let (arranged, _) = room.as_chunks_mut::<COLUMNS>();
        for (t, q) in q.chunks_exact(d).enumerate() {
            (surplus[t], reach[t]) = (M::surplus(q), M::reach(q));
            for (q, arranged) in q.chunks(COLUMNS).zip(&mut arranged[t * width..]) {
                // Zeros for the columns past the end.
                let mut padded = [0; COLUMNS];
                padded[..q.len()].copy_from_slice(q);
                *arranged = M::arrange(&padded);
            }
        }
        Arranged { x: arranged, width, scales, surplus, reach }
    }

    /// The results of whole blocks: those of session `t` start at `t · stride`.
    #[inline(always)]
    fn results<const TOGETHER: usize, M: Quad<COLUMNS>>(
        &self,
        isa: M::Isa,
        rows: Rows<'_>,
        stride: usize,
        results: &mut [f32],
    ) {
        let (width, scales) = (self.width, self.scales);
        let block_lines = width * ROWS * COLUMNS / 64;
        let blocks = rows.blocks.chunks_exact(block_lines);
        let of_rows = rows.norms.chunks_exact(ROWS).zip(rows.scales.chunks_exact(ROWS));
        for (b, (block, (norms, row_scales))) in blocks.zip(of_rows).enumerate() {
            // Blocks often are whole pages of memory, across which the hardware does not prefetch.
            let next = &rows.blocks[(b + 1) * block_lines..];
            let next = if next.is_empty() { block } else { next };
            let mut t = 0;
            while t < scales.len() {
                let mut sums = [[0; ROWS]; TOGETHER];
                let together = if t + TOGETHER <= scales.len() { TOGETHER } else { 1 };
                if together == TOGETHER {
                    sums = sums_of::<COLUMNS, TOGETHER, M>(isa, block, next, &self.x[t * width..][..TOGETHER * width]);
                } else {
                    [sums[0]] = sums_of::<COLUMNS, 1, M>(isa, block, next, &self.x[t * width..][..width]);
                }
                for (t, sums) in (t..).zip(&sums[..together]) {
                    let results = &mut results[t * stride + b * ROWS..][..ROWS];
                    for i in 0..ROWS {
                        let dot = M::result(sums[i].wrapping_sub(self.surplus[t]), norms[i], self.reach[t]);
                        results[i] = dot * (row_scales[i] * scales[t]);
                    }
                }
                t += together;
            }
        }
    }
}

/// The sums of a block's rows for `TOGETHER` sessions, whose activations are consecutive in `q`.
#[inline(always)]
fn sums_of<const COLUMNS: usize, const TOGETHER: usize, M: Quad<COLUMNS>>(
    isa: M::Isa,
    block: &[Line],
    next: &[Line],
    q: &[[i16; COLUMNS]],
) -> [[i32; ROWS]; TOGETHER] {
    let width = q.len() / TOGETHER;
    let mut sums = [[M::zeros(isa); 4]; TOGETHER];
    let chunks = block.chunks_exact(ROWS * COLUMNS / 64).zip(next.chunks_exact(ROWS * COLUMNS / 64));
    for (i, (chunk, next)) in chunks.enumerate() {
        macro_rules! groups {
            ($($j:literal)*) => {$(
                let mut x = [M::spread::<{ 0x55 * $j }>(isa, &q[i]); TOGETHER];
                for t in 1..TOGETHER {
                    x[t] = M::spread::<{ 0x55 * $j }>(isa, &q[t * width + i]);
                }
                for quad in 0..4 {
                    super::shape::fetch(&vector::<COLUMNS>(next, ($j * 4 + quad) * COLUMNS)[..1]);
                    let e = M::load_rows(isa, vector(chunk, ($j * 4 + quad) * COLUMNS));
                    for t in 0..TOGETHER {
                        sums[t][quad] = e.add_products(sums[t][quad], x[t]);
                    }
                }
            )*};
        }
        groups!(0 1 2 3);
    }
    let mut totals = [[0; ROWS]; TOGETHER];
    for t in 0..TOGETHER {
        totals[t] = M::total(isa, sums[t]);
    }
    totals
}

/// The vector at byte `at`; none crosses a line.
#[inline(always)]
fn vector<const COLUMNS: usize>(lines: &[Line], at: usize) -> &[i8; COLUMNS] {
    lines[at / 64].0[at % 64..].first_chunk().expect("the length of a line is a multiple of a vector's")
}
