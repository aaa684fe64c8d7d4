//! The first stage of the two-stage head for many sessions: one pass over the codes bounds the logits of all of them.
//!
//! A single session waits for its codes to arrive from memory. With many, each block that was loaded and unpacked is
//! multiplied with the activations of several sessions, and one piece of rows at a time is bounded for all of them, so
//! that the search among the bounds finds them in the L1 cache. The bounds are those of [`coarse`](super::coarse), to
//! the bit.

use super::coarse::{self, Block, Coarse, CoarseRows, Columns, GROUP, WIDEN};
use super::order::ReadOrder;
use super::shape::{PIECE, SESSIONS, fetch};

/// The operands.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub rows: &'a CoarseRows,
    /// V.
    pub row_scales: &'a [f32],
    /// The activations of each session, at most [`SESSIONS`].
    pub sessions: &'a [coarse::Input],
    /// One per session.
    pub scales: &'a [f32],
    pub order: ReadOrder,
}

/// Called as `each(t, first, bounds)` with the bounds of session `t` for the rows starting at `first`.
pub(super) type Each<'a> = &'a mut dyn FnMut(usize, usize, &mut [f32]);

/// Calls `each` for all rows, [`PIECE`] at a time in the given order, and for each session; `TOGETHER` sessions share
/// `ACROSS` loaded vectors.
#[inline(always)]
pub(super) fn bounds_together<M: Coarse, const ACROSS: usize, const TOGETHER: usize>(
    isa: M::Isa,
    input: Input<'_>,
    each: Each<'_>,
) {
    let Input { rows, row_scales, sessions, order, .. } = input;
    let mut bounds = [0.0; SESSIONS * PIECE];
    // A search begins with a whole piece, so in either order one that is not whole is the last.
    let whole = row_scales.len() / PIECE;
    for p in 0..row_scales.len().div_ceil(PIECE) {
        let p = if order == ReadOrder::LastToFirst && p < whole { whole - 1 - p } else { p };
        let (first, end) = (p * PIECE, row_scales.len().min((p + 1) * PIECE));
        let (norms, row_scales) = (&rows.norms[first..end], &row_scales[first..end]);
        let blocks = &rows.blocks[first / GROUP * rows.per_group..][..(end - first).div_ceil(GROUP) * rows.per_group];
        let groups = blocks.chunks_exact(rows.per_group).zip(norms.chunks(GROUP)).zip(row_scales.chunks(GROUP));
        for (g, ((group, norms), row_scales)) in groups.enumerate() {
            // Groups often are whole pages of memory, across which the hardware does not prefetch.
            let next = &rows.blocks[(first / GROUP + g + 1) * rows.per_group..];
            let next = next.get(..rows.per_group).unwrap_or(group).as_chunks().0;
            let group = Group { at: g * GROUP, pairs: group.as_chunks().0, next, norms, row_scales };
            let mut t = 0;
            while t < sessions.len() {
                t += match sessions.len() - t {
                    left if left >= TOGETHER => bound::<M, ACROSS, TOGETHER>(isa, &input, t, group, &mut bounds),
                    4.. => bound::<M, ACROSS, 4>(isa, &input, t, group, &mut bounds),
                    2.. => bound::<M, ACROSS, 2>(isa, &input, t, group, &mut bounds),
                    _ => bound::<M, ACROSS, 1>(isa, &input, t, group, &mut bounds),
                };
            }
        }
        for (t, bounds) in bounds.chunks_exact_mut(PIECE).take(sessions.len()).enumerate() {
            each(t, first, &mut bounds[..norms.len()]);
        }
    }
}

/// The rows of a group.
#[derive(Clone, Copy)]
struct Group<'a> {
    /// Its first row, relative to the piece.
    at: usize,
    pairs: &'a [[Block; 2]],
    /// Those of the next group.
    next: &'a [[Block; 2]],
    norms: &'a [f32],
    row_scales: &'a [f32],
}

/// Bounds the rows of a group for `N` sessions starting at `t`; returns their number. The bounds of consecutive
/// sessions are [`PIECE`] values apart.
#[inline(always)]
fn bound<M: Coarse, const ACROSS: usize, const N: usize>(
    isa: M::Isa,
    input: &Input<'_>,
    t: usize,
    group: Group<'_>,
    bounds: &mut [f32],
) -> usize {
    let sessions = input.sessions[t..].first_chunk::<N>().expect("the caller counts the sessions");
    let sums = sums::<M, ACROSS, N>(isa, group, sessions);
    for (t, (sums, session)) in (t..).zip(sums.iter().zip(sessions)) {
        let bounds = &mut bounds[t * PIECE + group.at..][..group.norms.len()];
        coarse::finish(sums, session, group.norms, group.row_scales, input.scales[t], bounds);
    }
    N
}

/// `Σ c·a` of the rows of a group for each session, `ACROSS` vectors at a time, limited by the number of registers.
#[inline(always)]
fn sums<M: Coarse, const ACROSS: usize, const N: usize>(
    isa: M::Isa,
    Group { pairs, next, .. }: Group<'_>,
    sessions: &[coarse::Input; N],
) -> [[i32; GROUP]; N] {
    let columns = sessions.each_ref().map(|session| &session.columns[..pairs.len()]);
    let mut sums = [[0; GROUP]; N];
    for v in (0..2 * M::PER_BLOCK).step_by(ACROSS) {
        let mut parts = [[M::no_sums(isa); ACROSS]; N];
        let mut first = 0;
        for (pairs, next) in pairs.chunks(WIDEN).zip(next.chunks(WIDEN)) {
            for next in next.as_flattened() {
                fetch(&next.0[..1]);
            }
            // A length known at compile time, except for the last ones.
            if let Some(pairs) = pairs.first_chunk::<WIDEN>() {
                add::<M, ACROSS, N>(isa, pairs, v, columns.map(|columns| &columns[first..][..WIDEN]), &mut parts);
            } else {
                add::<M, ACROSS, N>(isa, pairs, v, columns.map(|columns| &columns[first..]), &mut parts);
            }
            first += WIDEN;
        }
        let rows = 16 / M::PER_BLOCK;
        for (parts, sums) in parts.into_iter().zip(&mut sums) {
            for (part, sums) in parts.into_iter().zip(sums[v * rows..].chunks_exact_mut(rows)) {
                M::finish(part, sums);
            }
        }
    }
    sums
}

/// Adds the products of up to [`WIDEN`] times 8 columns of the vectors starting at `v`.
#[inline(always)]
fn add<M: Coarse, const ACROSS: usize, const N: usize>(
    isa: M::Isa,
    pairs: &[[Block; 2]],
    v: usize,
    columns: [&[Columns]; N],
    parts: &mut [[M::Sums; ACROSS]; N],
) {
    for (i, pair) in pairs.iter().enumerate() {
        for a in 0..ACROSS {
            let codes = M::load_codes(isa, &pair[(v + a) / M::PER_BLOCK], (v + a) % M::PER_BLOCK);
            for (columns, parts) in columns.iter().zip(&mut *parts) {
                parts[a] = codes.add_dot(M::columns(isa, &columns[i]), parts[a]);
            }
        }
    }
    for parts in parts.as_flattened_mut() {
        *parts = M::widen(*parts);
    }
}
