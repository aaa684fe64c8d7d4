//! The matrix product by `vpdpbusd`: unsigned codes × signed activations, four products added into 32 bits.
//!
//! A bit pair is taken by a mask alone, without a shift, so a plane's codes are 1, 4, 16 or 64 times too large
//! (at most `2 · 64`, which is a byte). Each plane has a sum of its own, shifted once at the end; the shift is exact
//! because every term of the sum is a multiple.

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
    /// Writes the 32-bit lanes times `scale`; `y` may end before the lanes do.
    fn scale_into(self, scale: f32, y: &mut [f32]);
}

/// `y = (W · q) · scale`, `16 · GROUPS` rows a pass in `GROUPS · PER_BLOCK = VECTORS` vectors; `q` is padded to
/// whole blocks.
#[inline(always)]
pub(super) fn matvec<M: Dpbusd, const VECTORS: usize>(
    isa: M::Isa,
    blocks: &Blocks,
    q: &[i8],
    scale: f32,
    y: &mut [f32],
) {
    let surplus = M::splat(isa, -q.iter().map(|&q| i32::from(q)).sum::<i32>());
    let groups = VECTORS / M::PER_BLOCK;
    let (whole, rest) = blocks.passes(groups);
    let mut y = y.chunks_mut(16 * groups);
    for (pass, y) in whole.zip(&mut y) {
        write(rows::<M, VECTORS>(isa, pass, blocks.per_row_group(), q, surplus), scale, y);
    }
    for (group, y) in rest.zip(y.flat_map(|y| y.chunks_mut(16))) {
        match M::PER_BLOCK {
            1 => write(rows::<M, 1>(isa, group, blocks.per_row_group(), q, surplus), scale, y),
            _ => write(rows::<M, 2>(isa, group, blocks.per_row_group(), q, surplus), scale, y),
        }
    }
}

#[inline(always)]
fn write<M: Dpbusd, const VECTORS: usize>(sums: [M; VECTORS], scale: f32, y: &mut [f32]) {
    for (sums, y) in sums.into_iter().zip(y.chunks_mut(16 / M::PER_BLOCK)) {
        sums.scale_into(scale, y);
    }
}

/// The sums of the rows of as many row groups as `VECTORS` hold; `pass` is their blocks.
#[inline(always)]
fn rows<M: Dpbusd, const VECTORS: usize>(
    isa: M::Isa,
    pass: &[Block],
    per_row_group: usize,
    q: &[i8],
    surplus: M,
) -> [M; VECTORS] {
    let (quads, _) = q.as_chunks::<4>();
    let (columns, _) = quads.as_chunks::<4>();
    let mask = M::splat(isa, 0x0303_0303);
    let masks = [mask, M::splat(isa, 0x0c0c_0c0c), M::splat(isa, 0x3030_3030), M::splat(isa, 0xc0c0_c0c0u32 as i32)];
    let mut sums = [surplus; VECTORS];
    for (part, columns) in columns.chunks(JOIN).enumerate() {
        let mut planes = [[M::splat(isa, 0); 4]; VECTORS];
        for (i, activations) in columns.iter().enumerate() {
            let [a0, a1, a2, a3] = *activations;
            let (x0, x1) = (M::splat(isa, dword(a0)), M::splat(isa, dword(a1)));
            let x = [x0, x1, M::splat(isa, dword(a2)), M::splat(isa, dword(a3))];
            for (v, planes) in planes.iter_mut().enumerate() {
                let block = &pass[v / M::PER_BLOCK * per_row_group + part * JOIN + i];
                let codes = M::load(isa, block, v % M::PER_BLOCK);
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
