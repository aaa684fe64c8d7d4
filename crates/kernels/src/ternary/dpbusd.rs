//! The matrix product with `vpdpbusd`: unsigned codes × signed activations, four products added into 32 bits.
//!
//! No bit pair is shifted: a mask keeps the lowest one, two, three or all four of a byte, and the sums over them are
//!
//! ```text
//! s0 = A      s1 = A + 4 B      s2 = A + 4 B + 16 C      s3 = A + 4 B + 16 C + 64 D
//! ```
//!
//! with the rows' own sums A to D, which are recovered at the end by differences and exact shifts. So four rows cost
//! three masks and four products.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, PLANES, dword, rows_of};

/// Blocks after which the rows' sums are extracted: a block adds at most `4 · 2 · 127` to D, so that `64 · D` of this
/// many blocks stays within 32 bits. Only the widest model that the format allows has more.
const JOIN: usize = 1 << 15;

/// A vector of bytes or 32-bit lanes of an instruction set that has `vpdpbusd`.
pub(super) trait Dpbusd: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;
    /// Whether codes are taken as signed bytes. Then the matrix is laid out with the highest bit of each byte flipped,
    /// so that a whole byte is 128 less than its codes: `s3` is `128 · Σ q` too small, and D, a 64th of its difference,
    /// is `2 · Σ q` too small, so the last plane's sums start at `+Σ q`.
    const SIGNED: bool = false;

    /// 32-bit lanes.
    fn splat(isa: Self::Isa, value: i32) -> Self;
    /// The `part`-th vector of a block.
    fn load(isa: Self::Isa, block: &Block, part: usize) -> Self;
    fn and(self, mask: Self) -> Self;
    /// `self + codes · activations`, four bytes per 32-bit lane.
    fn dot(self, codes: Self, activations: Self) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    /// Arithmetic shift of the 32-bit lanes.
    fn shift_right<const N: u32>(self) -> Self;
    /// Writes the 32-bit lanes times `scale`; `y` may be shorter.
    fn scale_into(self, scale: f32, y: &mut [f32]);
}

/// The entry function of an instruction set: `y_t = (W · q_t) · (scale · a_t)` for the rows of `x`, first `$tokens`
/// rows at a time with the sums of one vector each, then row by row with those of `$vectors`.
macro_rules! entry {
    ($isa:ty, $vector:ty, $per_block:literal, $vectors:literal, $tokens:literal, $features:literal) => {
        pub(super) fn matmul(isa: $isa, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
            #[target_feature(enable = $features)]
            fn compiled(isa: $isa, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
                $crate::ternary::dpbusd::matmul::<$vector, $per_block, $vectors, $tokens>(isa, blocks, x, scale, y);
            }
            // SAFETY: the token proves that the CPU has the features.
            unsafe { compiled(isa, blocks, x, scale, y) }
        }
    };
}
pub(super) use entry;

#[inline(always)]
pub(super) fn matmul<M: Dpbusd, const PER_BLOCK: usize, const VECTORS: usize, const TOKENS: usize>(
    isa: M::Isa,
    blocks: &Blocks,
    x: &QuantisedRows,
    scale: f32,
    y: &mut [f32],
) {
    let (rows, vectors) = (y.len() / x.rows(), blocks.vectors::<PER_BLOCK>());
    let whole = x.rows() - x.rows() % TOKENS;
    for t in (0..whole).step_by(TOKENS) {
        let (input, y) = (Input::<M, TOKENS>::new(isa, x, t, scale), &mut y[t * rows..][..TOKENS * rows]);
        for v in 0..vectors {
            pass::<M, PER_BLOCK, 1, TOKENS>(isa, blocks, v, input, y);
        }
    }
    for t in whole..x.rows() {
        let (input, y) = (Input::<M, 1>::new(isa, x, t, scale), &mut y[t * rows..][..rows]);
        let mut v = 0;
        while v + VECTORS <= vectors {
            pass::<M, PER_BLOCK, VECTORS, 1>(isa, blocks, v, input, y);
            v += VECTORS;
        }
        // With one vector each addition would wait for the previous one.
        while v + 2 <= vectors {
            pass::<M, PER_BLOCK, 2, 1>(isa, blocks, v, input, y);
            v += 2;
        }
        if v < vectors {
            pass::<M, PER_BLOCK, 1, 1>(isa, blocks, v, input, y);
        }
    }
}

/// Some rows of activations.
#[derive(Clone, Copy)]
struct Input<'a, M, const TOKENS: usize> {
    /// Four values each.
    quads: [&'a [[i8; 4]]; TOKENS],
    /// The initial value of a row's sums.
    surplus: [M; TOKENS],
    /// The scale of a row's sums.
    scales: [f32; TOKENS],
}

impl<'a, M: Dpbusd, const TOKENS: usize> Input<'a, M, TOKENS> {
    /// Rows `start .. start + TOKENS` of `x`.
    #[inline(always)]
    fn new(isa: M::Isa, x: &'a QuantisedRows, start: usize, scale: f32) -> Self {
        let (quads, surplus) = ([x.quads(start); TOKENS], [M::splat(isa, 0); TOKENS]);
        let mut input = Input { quads, surplus, scales: [0.0; TOKENS] };
        for t in 0..TOKENS {
            input.quads[t] = x.quads(start + t);
            input.surplus[t] = M::splat(isa, super::blocks::surplus(x.padded(start + t)));
            input.scales[t] = scale * x.scale(start + t);
        }
        input
    }
}

/// The rows of `VECTORS` vectors starting at `first`, times each row of activations.
#[inline(always)]
fn pass<M: Dpbusd, const PER_BLOCK: usize, const VECTORS: usize, const TOKENS: usize>(
    isa: M::Isa,
    blocks: &Blocks,
    first: usize,
    input: Input<'_, M, TOKENS>,
    y: &mut [f32],
) {
    let n = blocks.per_row_group();
    let mut columns = [blocks.of_vector::<PER_BLOCK>(first); VECTORS];
    for (v, columns) in columns.iter_mut().enumerate() {
        *columns = &blocks.of_vector::<PER_BLOCK>(first + v)[..n];
    }
    let mut quads = input.quads;
    for quads in &mut quads {
        *quads = &quads[..n];
    }
    let zero = M::splat(isa, 0);
    let masks = [M::splat(isa, 0x0303_0303), M::splat(isa, 0x0f0f_0f0f), M::splat(isa, 0x3f3f_3f3f)];
    let mut rows = [[[zero; PLANES]; VECTORS]; TOKENS];
    for (t, rows) in rows.iter_mut().enumerate() {
        *rows = [[input.surplus[t]; PLANES]; VECTORS];
        if M::SIGNED {
            for rows in rows {
                rows[PLANES - 1] = zero.sub(input.surplus[t]);
            }
        }
    }
    for from in (0..n).step_by(JOIN) {
        let mut sums = [[[zero; PLANES]; VECTORS]; TOKENS];
        for i in from..n.min(from + JOIN) {
            let mut activations = [zero; TOKENS];
            for t in 0..TOKENS {
                activations[t] = M::splat(isa, dword(quads[t][i]));
            }
            for v in 0..VECTORS {
                let block = M::load(isa, &columns[v][i], (first + v) % PER_BLOCK);
                let codes = [block.and(masks[0]), block.and(masks[1]), block.and(masks[2]), block];
                for t in 0..TOKENS {
                    for p in 0..PLANES {
                        sums[t][v][p] = sums[t][v][p].dot(codes[p], activations[t]);
                    }
                }
            }
        }
        for t in 0..TOKENS {
            for v in 0..VECTORS {
                let [s0, s1, s2, s3] = sums[t][v];
                rows[t][v][0] = rows[t][v][0].add(s0);
                rows[t][v][1] = rows[t][v][1].add(s1.sub(s0).shift_right::<2>());
                rows[t][v][2] = rows[t][v][2].add(s2.sub(s1).shift_right::<4>());
                rows[t][v][3] = rows[t][v][3].add(s3.sub(s2).shift_right::<6>());
            }
        }
    }
    for (t, y) in y.chunks_exact_mut(y.len() / TOKENS).enumerate() {
        for (v, rows) in rows[t].iter().enumerate() {
            for (p, sums) in rows.iter().enumerate() {
                sums.scale_into(input.scales[t], rows_of::<PER_BLOCK>(first + v, p, y));
            }
        }
    }
}
