//! Shared by the algorithms of the head: the row layout for many sessions, and access to rows.

use alloc::vec;
use alloc::vec::Vec;

/// Rows of a block: four quads.
pub(crate) const ROWS: usize = 16;
/// Sessions whose activations are arranged together, on the stack.
pub(super) const SESSIONS: usize = 16;
/// Rows whose results are processed together: for that many sessions they fit the L1 cache.
pub(super) const PIECE: usize = 512;

/// A variant's layout of the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Columns of a group.
    pub group: usize,
    /// 128-bit lanes of a vector.
    pub lanes: usize,
    /// Flips the sign bit, if bytes are taken as unsigned.
    pub flip: i8,
}

impl Shape {
    /// Columns, and bytes, of a vector.
    pub const fn columns(self) -> usize {
        4 * self.lanes * self.group
    }

    /// Lays out the whole blocks of `rows`, `d` columns each; the columns past the end are arbitrary.
    pub fn lay_out(self, rows: &[i8], d: usize) -> Vec<Line> {
        let columns = self.columns();
        let block_lines = d.div_ceil(columns) * ROWS * columns / 64;
        let mut lines = vec![Line([0; 64]); rows.len() / d / ROWS * block_lines];
        for (block, rows) in lines.chunks_exact_mut(block_lines).zip(rows.chunks_exact(ROWS * d)) {
            for (r, row) in rows.chunks_exact(d).enumerate() {
                for (i, chunk) in row.chunks(columns).enumerate() {
                    for (l, lane) in chunk.chunks(4 * self.group).enumerate() {
                        for (j, group) in lane.chunks(self.group).enumerate() {
                            let at = ((i * 4 + j) * 4 + r / 4) * columns + (l * 4 + r % 4) * self.group;
                            for (to, &e) in block[at / 64].0[at % 64..].iter_mut().zip(group) {
                                *to = e ^ self.flip;
                            }
                        }
                    }
                }
            }
        }
        lines
    }
}

/// Bytes of laid out rows, aligned to a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Line(pub [i8; 64]);

/// The operands of the sessions of one call; there are `scales.len()` sessions.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128")),
    expect(dead_code, reason = "plain Rust has no blocks")
)]
pub(crate) struct Input<'a> {
    pub rows: Rows<'a>,
    /// Activations, rows of D.
    pub q: &'a [i16],
    pub scales: &'a [f32],
}

/// Laid out rows.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128")),
    expect(dead_code, reason = "plain Rust has no blocks")
)]
pub(crate) struct Rows<'a> {
    /// Blocks of rows, D columns each.
    pub blocks: &'a [Line],
    /// `‖e‖` of each row; the blocks hold the first rows, as for their scales.
    pub norms: &'a [f32],
    pub scales: &'a [f32],
}

/// The rows, `d` wide, of up to four tokens; the first one substitutes for missing ones.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", feature = "relaxed_simd"))]
#[inline(always)]
pub(super) fn rows4<'r>(rows: &'r [i8], tokens: &[u32], d: usize) -> [&'r [i8]; 4] {
    let mut four = [&rows[tokens[0] as usize * d..][..d]; 4];
    for (row, &token) in four.iter_mut().zip(tokens) {
        *row = &rows[token as usize * d..][..d];
    }
    four
}

/// Prefetches bytes that will be read soon, if the instruction set supports it.
#[inline(always)]
pub(super) fn fetch<Byte>(bytes: &[Byte]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, on a valid byte; every x86-64 CPU has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}
