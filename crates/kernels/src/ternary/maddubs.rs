//! The matrix product with `maddubs`: unsigned codes × signed activations, pairs added into 16 bits.
//!
//! One shift moves the upper two bit pairs of a byte down; the second of each two is four times too large, which an
//! exact shift corrects at the end. A `maddubs` adds at most `2 · 8 · 127 = 2032` to a 16-bit lane, so 16 of them fit
//! before the sums must be widened to 32 bits.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, PLANES, dword, rows_of, surplus};

/// Blocks whose sums fit 16-bit lanes.
const WIDEN: usize = 16;

/// A vector of bytes, 16-bit or 32-bit lanes, of an instruction set that has `maddubs`.
pub(super) trait Maddubs: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;

    /// 32-bit lanes.
    fn splat(isa: Self::Isa, value: i32) -> Self;
    /// The `part`-th vector of a block.
    fn load(isa: Self::Isa, block: &Block, part: usize) -> Self;
    /// Bit pairs 0 and 1 of every byte as bytes, the second four times too large; the other bits are ignored.
    fn pairs(self) -> [Self; 2];
    /// Moves bit pairs 2 and 3 to where `pairs` expects 0 and 1.
    fn upper(self) -> Self;
    /// 16-bit sums of pairs of products, codes × activations.
    fn maddubs(self, activations: Self) -> Self;
    fn add16(self, other: Self) -> Self;
    /// Adds pairs of the 16-bit lanes of `narrow`, as 32 bits.
    fn add_widened(self, narrow: Self) -> Self;
    /// Shifts the 32-bit lanes right by two bits, with their sign.
    fn quarter(self) -> Self;
    /// Writes the 32-bit lanes times `scale`; `y` may be shorter.
    fn scale_into(self, scale: f32, y: &mut [f32]);
}

/// `y_t = (W · q_t) · (scale · a_t)`, one row of `x` at a time: 16 registers are too few to keep unpacked weights for
/// several. Takes `VECTORS` vectors of the matrix at a time, which divide a block.
#[inline(always)]
pub(super) fn matmul<M: Maddubs, const PER_BLOCK: usize, const VECTORS: usize>(
    isa: M::Isa,
    blocks: &Blocks,
    x: &QuantisedRows,
    scale: f32,
    y: &mut [f32],
) {
    for (t, y) in y.chunks_exact_mut(y.len() / x.rows()).enumerate() {
        let (surplus, scale) = (surplus(x.padded(t)), scale * x.scale(t));
        let surplus = [M::splat(isa, surplus), M::splat(isa, 4 * surplus)];
        for first in (0..blocks.vectors::<PER_BLOCK>()).step_by(VECTORS) {
            let columns = blocks.of_vector::<PER_BLOCK>(first);
            let sums = sums::<M, VECTORS>(isa, columns, first % PER_BLOCK, x.quads(t), surplus);
            for (v, [a, b, c, d]) in sums.into_iter().enumerate() {
                for (p, sum) in [a, b.quarter(), c, d.quarter()].into_iter().enumerate() {
                    sum.scale_into(scale, rows_of::<PER_BLOCK>(first + v, p, y));
                }
            }
        }
    }
}

/// The sums of the rows in `VECTORS` vectors of each block starting at `part`, the second and fourth plane's four times
/// too large, as are the values that they start with.
#[inline(always)]
fn sums<M: Maddubs, const VECTORS: usize>(
    isa: M::Isa,
    columns: &[Block],
    part: usize,
    quads: &[[i8; 4]],
    [one, four]: [M; 2],
) -> [[M; PLANES]; VECTORS] {
    let mut sums = [[one, four, one, four]; VECTORS];
    for (blocks, quads) in columns.chunks(WIDEN).zip(quads.chunks(WIDEN)) {
        let mut pairs = blocks.iter().zip(quads);
        let Some((block, quad)) = pairs.next() else { break };
        let x = M::splat(isa, dword(*quad));
        let mut narrow = [[x; PLANES]; VECTORS];
        for (v, narrow) in narrow.iter_mut().enumerate() {
            *narrow = products(M::load(isa, block, part + v), x);
        }
        for (block, quad) in pairs {
            let x = M::splat(isa, dword(*quad));
            for (v, narrow) in narrow.iter_mut().enumerate() {
                let ([na, nb, nc, nd], [a, b, c, d]) = (*narrow, products(M::load(isa, block, part + v), x));
                *narrow = [na.add16(a), nb.add16(b), nc.add16(c), nd.add16(d)];
            }
        }
        for v in 0..VECTORS {
            for p in 0..PLANES {
                sums[v][p] = sums[v][p].add_widened(narrow[v][p]);
            }
        }
    }
    sums
}

/// The products of a vector's codes, plane by plane.
#[inline(always)]
fn products<M: Maddubs>(block: M, x: M) -> [M; PLANES] {
    let ([a, b], [c, d]) = (block.pairs(), block.upper().pairs());
    [a.maddubs(x), b.maddubs(x), c.maddubs(x), d.maddubs(x)]
}
