//! The INT8 head on laid out rows: one pass over them for one session or for many.
//!
//! One session waits for its rows to come from memory. With many it is the multiplications that count, and adding up
//! across lanes, row by row and session by session, would cost half as much again. So the rows are laid out once so that
//! a lane belongs to a row. (Done anew in each call that cost 80 to 800 µs, by instruction set, of a head of 8.2 MB.) A
//! block has 16 rows, four *quads* of four. Of a chunk of columns a block has 16 vectors: number `4j + quad` has, in each
//! of its lanes `l` (128 bits of what is multiplied), one group of columns of each row:
//!
//! ```text
//! 32-bit part of lane l      0         1         2         3
//!                            row 0     row 1     row 2     row 3 of the quad, columns of group 4l + j
//! ```
//!
//! Group `4l + j` of the activations, spread over lane `l`, meets the same columns of four rows; what is left to add is
//! one 128-bit lane to another. A group is what goes into 32 bits: 4 columns where bytes are multiplied (and stored as
//! `e + 128`, unsigned), 2 where they are widened to 16 bits when they are loaded.

use super::rows::{Input, Line, ROWS};
use crate::MAX_N_EMBD;

/// Sessions whose activations are arranged together, on the stack.
const SESSIONS: usize = 16;

/// A vector of `COLUMNS` bytes of rows, of an instruction set.
pub(super) trait Quad<const COLUMNS: usize>: Copy {
    /// The proof that the instructions may run.
    type Isa: Copy;
    /// The activations that meet one such vector.
    type Spread: Copy;
    /// The sums of a quad.
    type Sums: Copy;

    fn zeros(isa: Self::Isa) -> Self::Sums;
    fn load_rows(isa: Self::Isa, e: &[i8; COLUMNS]) -> Self;
    /// Activations as [`spread`](Self::spread) takes them, in the same room.
    fn arrange(q: &[i16; COLUMNS]) -> [i16; COLUMNS];
    /// What meets the vectors `j` of a chunk; `GROUP` has `j` in each of its four bit pairs, as shuffles take it.
    fn spread<const GROUP: i32>(isa: Self::Isa, q: &[i16; COLUMNS]) -> Self::Spread;
    fn add_products(self, sums: Self::Sums, q: Self::Spread) -> Self::Sums;
    /// Of the rows of four quads, in order.
    fn total(quads: [Self::Sums; 4]) -> [i32; ROWS];
    /// What a row's sum is too large by.
    fn surplus(q: &[i16]) -> i32;
}

/// `logits_t = (rows · q_t) · (row_scales · scale_t)` for every session `t` and every row that is in a block, `TOGETHER`
/// sessions at a time.
#[inline(always)]
pub(super) fn int8<const COLUMNS: usize, const TOGETHER: usize, M: Quad<COLUMNS>>(
    isa: M::Isa,
    input: Input<'_>,
    logits: &mut [f32],
) {
    let Input { blocks, row_scales, q, scales } = input;
    let (d, v) = (q.len() / scales.len(), row_scales.len());
    let width = d.div_ceil(COLUMNS);
    let sessions = q.chunks(SESSIONS * d).zip(scales.chunks(SESSIONS)).zip(logits.chunks_mut(SESSIONS * v));
    for ((q, scales), logits) in sessions {
        let mut arranged = [0; SESSIONS * MAX_N_EMBD];
        let (arranged, _) = arranged.as_chunks_mut::<COLUMNS>();
        let mut surplus = [0; SESSIONS];
        for (t, q) in q.chunks_exact(d).enumerate() {
            surplus[t] = M::surplus(q);
            for (q, arranged) in q.chunks(COLUMNS).zip(&mut arranged[t * width..]) {
                // Zeros meet the columns past the end.
                let mut padded = [0; COLUMNS];
                padded[..q.len()].copy_from_slice(q);
                *arranged = M::arrange(&padded);
            }
        }
        let blocks = blocks.chunks_exact(width * ROWS * COLUMNS / 64);
        for (b, (block, row_scales)) in blocks.zip(row_scales.chunks_exact(ROWS)).enumerate() {
            let mut t = 0;
            while t < scales.len() {
                let mut sums = [[0; ROWS]; TOGETHER];
                let together = if t + TOGETHER <= scales.len() { TOGETHER } else { 1 };
                if together == TOGETHER {
                    sums = sums_of::<COLUMNS, TOGETHER, M>(isa, block, &arranged[t * width..][..TOGETHER * width]);
                } else {
                    [sums[0]] = sums_of::<COLUMNS, 1, M>(isa, block, &arranged[t * width..][..width]);
                }
                for (t, sums) in (t..).zip(&sums[..together]) {
                    write(sums, surplus[t], row_scales, scales[t], &mut logits[t * v + b * ROWS..][..ROWS]);
                }
                t += together;
            }
        }
    }
}

/// The sums of a block's rows for `TOGETHER` sessions, whose activations follow each other in `q`.
#[inline(always)]
fn sums_of<const COLUMNS: usize, const TOGETHER: usize, M: Quad<COLUMNS>>(
    isa: M::Isa,
    block: &[Line],
    q: &[[i16; COLUMNS]],
) -> [[i32; ROWS]; TOGETHER] {
    let width = q.len() / TOGETHER;
    let mut sums = [[M::zeros(isa); 4]; TOGETHER];
    for (i, chunk) in block.chunks_exact(ROWS * COLUMNS / 64).enumerate() {
        macro_rules! groups {
            ($($j:literal)*) => {$(
                let mut x = [M::spread::<{ 0x55 * $j }>(isa, &q[i]); TOGETHER];
                for t in 1..TOGETHER {
                    x[t] = M::spread::<{ 0x55 * $j }>(isa, &q[t * width + i]);
                }
                for quad in 0..4 {
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
        totals[t] = M::total(sums[t]);
    }
    totals
}

/// The vector at byte `at`; none crosses a line.
#[inline(always)]
fn vector<const COLUMNS: usize>(lines: &[Line], at: usize) -> &[i8; COLUMNS] {
    lines[at / 64].0[at % 64..].first_chunk().expect("the length of a line is a multiple of a vector's")
}

#[inline(always)]
fn write(sums: &[i32; ROWS], surplus: i32, row_scales: &[f32], scale: f32, logits: &mut [f32]) {
    for i in 0..ROWS {
        logits[i] = sums[i].wrapping_sub(surplus) as f32 * (row_scales[i] * scale);
    }
}
