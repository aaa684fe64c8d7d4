//! The matrix product by `vpdpbusd`: unsigned codes × signed activations, four products added into 32 bits.
//!
//! For one row of activations a bit pair is taken by a mask alone, without a shift, so a plane's codes are 1, 4, 16 or
//! 64 times too large (at most `2 · 64`, which is a byte). Each plane has a sum of its own, shifted once at the end;
//! the shift is exact because every term of the sum is a multiple. For many rows of activations the codes are shifted
//! once and used for each of them, so that the planes share a sum and the sums of more rows fit the registers.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, dword};

/// Blocks after which the planes' sums are joined: a block adds at most `4 · 128 · 128 = 2^16` to the widest plane,
/// so this many stay within 32 bits, and no model but the widest that the format allows has more.
const JOIN: usize = 1 << 14;

/// A vector of bytes or 32-bit lanes of an instruction set that has `vpdpbusd`.
pub(super) trait Dpbusd: Copy {
    /// The proof that the instructions may run.
    type Isa: Copy;
    /// Vectors in a block.
    const PER_BLOCK: usize;

    /// 32-bit lanes.
    fn splat(isa: Self::Isa, value: i32) -> Self;
    /// The `part`-th vector of a block.
    fn load(isa: Self::Isa, block: &Block, part: usize) -> Self;
    fn and(self, mask: Self) -> Self;
    /// `self + codes · activations`, four bytes to a 32-bit lane.
    fn dot(self, codes: Self, activations: Self) -> Self;
    fn add(self, other: Self) -> Self;
    /// Arithmetic shift of the 32-bit lanes.
    fn shift_right<const N: u32>(self) -> Self;
    /// Each bit pair `PLANE` as a byte.
    fn plane<const PLANE: u32>(self) -> Self;
    /// Writes the 32-bit lanes times `scale`; `y` may end before the lanes do.
    fn scale_into(self, scale: f32, y: &mut [f32]);
}

/// `y_t = (W · q_t) · (scale · a_t)` for the rows of `x`: `TOKENS` at a time with the sums of `VECTORS` vectors each, then
/// one by one with those of `ALONE`.
#[inline(always)]
pub(super) fn matmul<M: Dpbusd, const ALONE: usize, const VECTORS: usize, const TOKENS: usize>(
    isa: M::Isa,
    blocks: &Blocks,
    x: &QuantisedRows,
    scale: f32,
    y: &mut [f32],
) {
    let rows = y.len() / x.rows();
    let whole = x.rows() - x.rows() % TOKENS;
    for t in (0..whole).step_by(TOKENS) {
        tokens::<M, VECTORS, TOKENS>(isa, blocks, x, t, scale, &mut y[t * rows..][..TOKENS * rows]);
    }
    for t in whole..x.rows() {
        alone::<M, ALONE>(isa, blocks, x.padded(t), scale * x.scale(t), &mut y[t * rows..][..rows]);
    }
}

/// What each sum starts at: the codes are `weight + 1`.
#[inline(always)]
fn surplus<M: Dpbusd>(isa: M::Isa, q: &[i8]) -> M {
    M::splat(isa, -q.iter().map(|&q| i32::from(q)).sum::<i32>())
}

/// The product with one row of activations, as many row groups of the matrix a pass as `VECTORS` hold.
#[inline(always)]
fn alone<M: Dpbusd, const VECTORS: usize>(isa: M::Isa, blocks: &Blocks, q: &[i8], scale: f32, y: &mut [f32]) {
    let (surplus, per_row_group) = (surplus::<M>(isa, q), blocks.per_row_group());
    let (passes, rest) = blocks.passes(VECTORS / M::PER_BLOCK);
    let (whole, y_rest) = y.split_at_mut(y.len().min(passes.len() * VECTORS * (16 / M::PER_BLOCK)));
    for (pass, y) in passes.zip(whole.chunks_mut(VECTORS * (16 / M::PER_BLOCK))) {
        write(one::<M, VECTORS>(isa, pass, per_row_group, q, surplus), scale, y);
    }
    for (group, y) in rest.zip(y_rest.chunks_mut(16)) {
        match M::PER_BLOCK {
            1 => write(one::<M, 1>(isa, group, per_row_group, q, surplus), scale, y),
            _ => write(one::<M, 2>(isa, group, per_row_group, q, surplus), scale, y),
        }
    }
}

/// The product with rows `start .. start + TOKENS` of `x`, as many row groups of the matrix a pass as `VECTORS` hold.
#[inline(always)]
fn tokens<M: Dpbusd, const VECTORS: usize, const TOKENS: usize>(
    isa: M::Isa,
    blocks: &Blocks,
    x: &QuantisedRows,
    start: usize,
    scale: f32,
    y: &mut [f32],
) {
    let rows = y.len() / TOKENS;
    let mut q = [x.padded(start); TOKENS];
    let mut surpluses = [M::splat(isa, 0); TOKENS];
    let mut scales = [0.0; TOKENS];
    for t in 0..TOKENS {
        q[t] = x.padded(start + t);
        surpluses[t] = surplus::<M>(isa, q[t]);
        scales[t] = scale * x.scale(start + t);
    }
    let (groups, per_row_group) = (VECTORS / M::PER_BLOCK, blocks.per_row_group());
    let (passes, rest) = blocks.passes(groups);
    let mut first = 0;
    for pass in passes {
        let sums = many::<M, VECTORS, TOKENS>(isa, pass, per_row_group, q, surpluses);
        for t in 0..TOKENS {
            write(sums[t], scales[t], &mut y[t * rows..][first..rows.min(first + 16 * groups)]);
        }
        first += 16 * groups;
    }
    for group in rest {
        let last = rows.min(first + 16);
        for t in 0..TOKENS {
            let y = &mut y[t * rows..][first..last];
            match M::PER_BLOCK {
                1 => write(one::<M, 1>(isa, group, per_row_group, q[t], surpluses[t]), scales[t], y),
                _ => write(one::<M, 2>(isa, group, per_row_group, q[t], surpluses[t]), scales[t], y),
            }
        }
        first = last;
    }
}

/// The sums of the rows that `pass` holds, for each row of activations, with the codes shifted once for all of them. A sum
/// may wrap on its way; the product itself fits 32 bits, so it comes out right.
#[inline(always)]
fn many<M: Dpbusd, const VECTORS: usize, const TOKENS: usize>(
    isa: M::Isa,
    pass: &[Block],
    per_row_group: usize,
    q: [&[i8]; TOKENS],
    surplus: [M; TOKENS],
) -> [[M; VECTORS]; TOKENS] {
    let mut sums = [[M::splat(isa, 0); VECTORS]; TOKENS];
    for (sums, surplus) in sums.iter_mut().zip(surplus) {
        *sums = [surplus; VECTORS];
    }
    for i in 0..per_row_group {
        let mut codes = [[M::splat(isa, 0); 4]; VECTORS];
        for (v, codes) in codes.iter_mut().enumerate() {
            let block = M::load(isa, &pass[v / M::PER_BLOCK * per_row_group + i], v % M::PER_BLOCK);
            *codes = [block.plane::<0>(), block.plane::<1>(), block.plane::<2>(), block.plane::<3>()];
        }
        for t in 0..TOKENS {
            let activations: &[i8; 16] = q[t][i * 16..].first_chunk().expect("rows are padded to whole blocks");
            let (quads, _) = activations.as_chunks::<4>();
            for p in 0..4 {
                let x = M::splat(isa, dword(quads[p]));
                for v in 0..VECTORS {
                    sums[t][v] = sums[t][v].dot(codes[v][p], x);
                }
            }
        }
    }
    sums
}

#[inline(always)]
fn write<M: Dpbusd, const VECTORS: usize>(sums: [M; VECTORS], scale: f32, y: &mut [f32]) {
    for (sums, y) in sums.into_iter().zip(y.chunks_mut(16 / M::PER_BLOCK)) {
        sums.scale_into(scale, y);
    }
}

/// The same for one row of activations, a sum for each plane. A shift does not undo a wrap, so they are joined in time.
#[inline(always)]
fn one<M: Dpbusd, const VECTORS: usize>(
    isa: M::Isa,
    pass: &[Block],
    per_row_group: usize,
    q: &[i8],
    surplus: M,
) -> [M; VECTORS] {
    let (quads, _) = q.as_chunks::<4>();
    let (columns, _) = quads.as_chunks::<4>();
    let columns = &columns[..per_row_group];
    let mut groups = [pass; VECTORS];
    for (v, group) in groups.iter_mut().enumerate() {
        *group = &pass[v / M::PER_BLOCK * per_row_group..][..per_row_group];
    }
    let mask = M::splat(isa, 0x0303_0303);
    let masks = [mask, M::splat(isa, 0x0c0c_0c0c), M::splat(isa, 0x3030_3030), M::splat(isa, 0xc0c0_c0c0u32 as i32)];
    let mut sums = [surplus; VECTORS];
    for from in (0..per_row_group).step_by(JOIN) {
        let mut planes = [[M::splat(isa, 0); 4]; VECTORS];
        for i in from..per_row_group.min(from + JOIN) {
            let [a0, a1, a2, a3] = columns[i];
            let (x0, x1) = (M::splat(isa, dword(a0)), M::splat(isa, dword(a1)));
            let x = [x0, x1, M::splat(isa, dword(a2)), M::splat(isa, dword(a3))];
            for (v, planes) in planes.iter_mut().enumerate() {
                let codes = M::load(isa, &groups[v][i], v % M::PER_BLOCK);
                for p in 0..4 {
                    planes[p] = planes[p].dot(codes.and(masks[p]), x[p]);
                }
            }
        }
        for (sum, &[p0, p1, p2, p3]) in sums.iter_mut().zip(&planes) {
            let low = p0.add(p1.shift_right::<2>());
            let high = p2.shift_right::<4>().add(p3.shift_right::<6>());
            *sum = sum.add(low.add(high));
        }
    }
    sums
}
