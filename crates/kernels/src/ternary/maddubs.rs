//! The matrix product by `maddubs`: unsigned codes × signed activations, pairs added into 16 bits.
//!
//! A 16-bit lane takes at most `2 · 2 · 127 = 508` from a `maddubs`, so 64 of them (16 blocks, 256 columns) fit
//! before the sums must be widened to 32 bits.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, dword};

/// Blocks whose sums fit 16-bit lanes.
const WIDEN: usize = 16;

/// A vector of bytes, 16-bit or 32-bit lanes, of an instruction set that has `maddubs`.
pub(super) trait Maddubs: Copy {
    /// The proof that the instructions may run.
    type Isa: Copy;
    /// Vectors in a block.
    const PER_BLOCK: usize;

    /// 32-bit lanes.
    fn splat(isa: Self::Isa, value: i32) -> Self;
    /// The `part`-th vector of a block.
    fn load(isa: Self::Isa, block: &Block, part: usize) -> Self;
    /// Each bit pair `PLANE` as a byte.
    fn plane<const PLANE: i32>(self) -> Self;
    /// 16-bit sums of pairs of products, codes × activations.
    fn maddubs(self, activations: Self) -> Self;
    fn add16(self, other: Self) -> Self;
    /// Adds pairs of the 16-bit lanes of `narrow`, as 32 bits.
    fn add_widened(self, narrow: Self) -> Self;
    /// Writes the 32-bit lanes times `scale`; `y` may end before the lanes do.
    fn scale_into(self, scale: f32, y: &mut [f32]);
}

/// `y_t = (W · q_t) · (scale · a_t)`, one row of `x` after the other: with 16 registers there is no room to keep
/// weights unpacked for several.
#[inline(always)]
pub(super) fn matmul<M: Maddubs, const VECTORS: usize>(
    isa: M::Isa,
    blocks: &Blocks,
    x: &QuantisedRows,
    scale: f32,
    y: &mut [f32],
) {
    for (t, y) in y.chunks_exact_mut(y.len() / x.rows()).enumerate() {
        matvec::<M, VECTORS>(isa, blocks, x.padded(t), scale * x.scale(t), y);
    }
}

/// `y = (W · q) · scale`, `16 · GROUPS` rows a pass in `GROUPS · PER_BLOCK = VECTORS` vectors; `q` is padded to
/// whole blocks.
#[inline(always)]
fn matvec<M: Maddubs, const VECTORS: usize>(isa: M::Isa, blocks: &Blocks, q: &[i8], scale: f32, y: &mut [f32]) {
    let surplus = M::splat(isa, -q.iter().map(|&q| i32::from(q)).sum::<i32>());
    let groups = VECTORS / M::PER_BLOCK;
    let (whole, rest) = blocks.passes(groups);
    let mut y = y.chunks_mut(16 * groups);
    for (pass, y) in whole.zip(&mut y) {
        let sums = rows::<M, VECTORS>(isa, pass, blocks.per_row_group(), q, surplus);
        write(sums, scale, y);
    }
    for (group, y) in rest.zip(y.flat_map(|y| y.chunks_mut(16))) {
        // The last, smaller passes: a block's vectors, once for each row group.
        match M::PER_BLOCK {
            2 => write(rows::<M, 2>(isa, group, blocks.per_row_group(), q, surplus), scale, y),
            _ => write(rows::<M, 4>(isa, group, blocks.per_row_group(), q, surplus), scale, y),
        }
    }
}

#[inline(always)]
fn write<M: Maddubs, const VECTORS: usize>(sums: [M; VECTORS], scale: f32, y: &mut [f32]) {
    for (sums, y) in sums.into_iter().zip(y.chunks_mut(16 / M::PER_BLOCK)) {
        sums.scale_into(scale, y);
    }
}

/// The sums of the rows of as many row groups as `VECTORS` hold; `pass` is their blocks.
#[inline(always)]
fn rows<M: Maddubs, const VECTORS: usize>(
    isa: M::Isa,
    pass: &[Block],
    per_row_group: usize,
    q: &[i8],
    surplus: M,
) -> [M; VECTORS] {
    let (quads, _) = q.as_chunks::<4>();
    let (columns, _) = quads.as_chunks::<4>();
    let mut sums = [surplus; VECTORS];
    for (part, columns) in columns.chunks(WIDEN).enumerate() {
        let mut narrow = [M::splat(isa, 0); VECTORS];
        for (i, activations) in columns.iter().enumerate() {
            let [a0, a1, a2, a3] = *activations;
            let (x0, x1) = (M::splat(isa, dword(a0)), M::splat(isa, dword(a1)));
            let (x2, x3) = (M::splat(isa, dword(a2)), M::splat(isa, dword(a3)));
            for (v, narrow) in narrow.iter_mut().enumerate() {
                let block = &pass[v / M::PER_BLOCK * per_row_group + part * WIDEN + i];
                let codes = M::load(isa, block, v % M::PER_BLOCK);
                let low = codes.plane::<0>().maddubs(x0).add16(codes.plane::<1>().maddubs(x1));
                let high = codes.plane::<2>().maddubs(x2).add16(codes.plane::<3>().maddubs(x3));
                *narrow = narrow.add16(low.add16(high));
            }
        }
        for (sums, narrow) in sums.iter_mut().zip(narrow) {
            *sums = sums.add_widened(narrow);
        }
    }
    sums
}
