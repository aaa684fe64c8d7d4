//! The first stage of the two-stage head: for every row an upper bound of its logit, from half of its bytes.
//!
//! The high four bits of a row's bytes are stored separately, as codes `c = (e + 128) >> 4` of 0 to 15. A block of 64
//! bytes holds 16 rows × 8 columns, and the blocks of two row groups alternate, so that one sequential stream gives 32
//! rows:
//!
//! ```text
//!            byte 4r+0      4r+1      4r+2      4r+3
//! bits 0-3   column 0       1         2         3       × activations 0-3, broadcast
//! bits 4-7          4       5         6         7       ×             4-7
//! ```
//!
//! **The bound.** Let `e = 16·c - 120.5 + r`, so that `|r| <= 7.5`, and let an activation be `q = 128·a + b` with the
//! remainder as small as possible, `|b| <= 64` (127 next to the largest `q`). Then
//!
//! ```text
//! Σ e·q = 128·Σ e·a + Σ e·b = A + R,   A = 128·Σ (16·c - 120.5)·a = 64·(32·Σ c·a - 241·Σ a),
//!                                      R = Σ 128·r·a + Σ e·b <= ‖(32·r, e)‖ · ‖(4·a, b)‖ = N·Q
//! ```
//!
//! by the Cauchy-Schwarz inequality. `A` is computed exactly, `N` and `Q` in f32 as the square root of exact integers,
//! so the f32 value of `A + N·Q` can be too small only by its rounding errors: 2^-24 of `|A|` and a few times that of
//! `|A| + N·Q`. As `|A| <= 128·(‖e‖ + ‖r‖)·‖a‖ <= 33·N·Q`, their total is below 2^-17 of `N·Q`. `Q` is rounded up by
//! 2^-12, so the f32 value `B` is at least the dot product. Conversion and multiplication by a non-negative factor
//! round monotonically, so `B · (row_scale · scale)` is at least the logit `f32(dot) · (row_scale · scale)`, whose
//! factor is the same f32.

use crate::MAX_N_EMBD;
use crate::path::{Path, Tail};
use alloc::vec;
use alloc::vec::Vec;

/// Rows that are processed together.
pub(super) const GROUP: usize = 32;
/// Columns in a block.
const COLUMNS: usize = 8;
/// Blocks after which a kernel must widen its sums: a 16-bit lane has added up to `2 · 2 · 15 · 128` from each.
pub(super) const WIDEN: usize = 4;

/// 16 rows × 8 columns of codes.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Block(pub [u8; 64]);

/// The path of a two-stage head of this shape.
pub(super) fn path(rows: usize, cols: usize) -> Path {
    let (rows, cols) = (Tail::of(rows, GROUP, Tail::Padded), Tail::of(cols, COLUMNS, Tail::Padded));
    Path { kernel: "two stages", rows, cols }
}

/// The codes and norms of an INT8 matrix.
#[derive(Debug, Clone)]
pub(super) struct CoarseRows {
    /// Blocks of 32 rows, from their first columns to their last, then of the next 32; padded with codes of 0.
    pub blocks: Vec<Block>,
    /// Two for every 8 columns.
    pub per_group: usize,
    /// `N` of each row.
    pub norms: Vec<f32>,
}

impl CoarseRows {
    /// Codes and norms of `rows`, which have `d` values each.
    pub fn new(rows: &[i8], d: usize) -> Self {
        let per_group = 2 * d.div_ceil(COLUMNS);
        let v = rows.len() / d;
        let mut blocks = vec![Block([0; 64]); v.div_ceil(GROUP) * per_group];
        let mut norms = Vec::with_capacity(v);
        for (r, row) in rows.chunks_exact(d).enumerate() {
            let group = &mut blocks[r / GROUP * per_group..][..per_group];
            let (half, at) = (r % GROUP / 16, r % 16 * 4);
            for (pair, columns) in group.as_chunks_mut::<2>().0.iter_mut().zip(row.chunks(COLUMNS)) {
                let mut eight = [0; COLUMNS];
                for (e, &column) in eight.iter_mut().zip(columns) {
                    *e = column as u8;
                }
                pair[half].0[at..at + 4].copy_from_slice(&codes(eight));
            }
            norms.push(norm(row));
        }
        CoarseRows { blocks, per_group, norms }
    }
}

/// Codes of eight columns of a row: columns 0 to 3 in the low halves, 4 to 7 in the high halves.
fn codes(e: [u8; COLUMNS]) -> [u8; 4] {
    // All bytes at once; `e + 128` is a flip of the highest bit.
    let e = u64::from_le_bytes(e) ^ 0x8080_8080_8080_8080;
    let (low, high) = ((e >> 4) as u32 & 0x0f0f_0f0f, (e >> 32) as u32 & 0xf0f0_f0f0);
    (low | high).to_le_bytes()
}

/// `N = ‖(32·r, e)‖`; `r = l - 7.5` for the low four bits `l`.
fn norm(row: &[i8]) -> f32 {
    // At most (240² + 128²) · 1024 < 2^31. 16-bit products: every x86-64 CPU adds pairs of them in one instruction.
    let mut sum = 0;
    for &e in row {
        let (e, residue) = (i16::from(e), 16 * (2 * i16::from(e & 15) - 15));
        sum += i32::from(residue) * i32::from(residue) + i32::from(e) * i32::from(e);
    }
    libm::sqrtf(sum as f32)
}

/// The activations in the form of the first stage.
pub(super) struct Input {
    /// The high digits, padded with zeros to a multiple of 8 and beyond.
    pub columns: [Columns; MAX_N_EMBD / COLUMNS],
    /// `241 · Σ a`.
    surplus: i32,
    /// `Q`, rounded up by 2^-12.
    reach: f32,
}

/// The digits of 8 columns as 32-bit words that match the four bytes of a row: for the low halves and for the high
/// ones.
pub(super) type Columns = [i32; 2];

impl Input {
    /// From up to [`MAX_N_EMBD`] 15-bit values.
    pub fn new(q: &[i16]) -> Self {
        let mut high = [0i8; MAX_N_EMBD];
        // At most (16 · 128² + 127²) · 1024 < 2^31.
        let (mut sum, mut squares) = (0, 0);
        for (high, &q) in high.iter_mut().zip(q) {
            let q = i32::from(q);
            let a = ((q + 64) >> 7).min(127);
            let b = q - 128 * a;
            *high = a as i8;
            sum += a;
            squares += 16 * a * a + b * b;
        }
        let mut columns = [[0; 2]; MAX_N_EMBD / COLUMNS];
        let (eights, _) = high.as_chunks::<COLUMNS>();
        for (columns, &eight) in columns.iter_mut().zip(eights) {
            let [a0, a1, a2, a3, a4, a5, a6, a7] = eight.map(|a| a as u8);
            *columns = [i32::from_le_bytes([a0, a1, a2, a3]), i32::from_le_bytes([a4, a5, a6, a7])];
        }
        let reach = libm::sqrtf(squares as f32) * (1.0 + 1.0 / 4096.0);
        Input { columns, surplus: 241 * sum, reach }
    }
}

/// A vector of codes of an instruction set.
pub(super) trait Coarse: Copy {
    /// The token that proves that the instructions are available.
    type Isa: Copy;
    /// The activations of 8 columns, prepared for every row.
    type Columns: Copy;
    /// Partial sums of a vector's rows.
    type Sums: Copy;
    /// Vectors in a block: each has `16 / PER_BLOCK` rows.
    const PER_BLOCK: usize;

    fn no_sums(isa: Self::Isa) -> Self::Sums;
    fn columns(isa: Self::Isa, columns: &Columns) -> Self::Columns;
    /// The `part`-th vector of a block.
    fn load_codes(isa: Self::Isa, block: &Block, part: usize) -> Self;
    /// Adds the products of 8 columns; at most four times before the sums are widened.
    fn add_dot(self, columns: Self::Columns, sums: Self::Sums) -> Self::Sums;
    fn widen(sums: Self::Sums) -> Self::Sums;
    /// Writes one sum for each row of the vector.
    fn finish(sums: Self::Sums, to: &mut [i32]);
}

/// Bounds of the logits of a part of the rows: `bounds.len()` rows starting at `first_group`. `row_scales` belong to
/// the same rows.
#[inline(always)]
pub(super) fn bounds<M: Coarse, const VECTORS: usize, const CHAINS: usize>(
    isa: M::Isa,
    coarse: &CoarseRows,
    first_group: usize,
    input: &Input,
    (row_scales, scale): (&[f32], f32),
    bounds: &mut [f32],
) {
    let columns = &input.columns[..coarse.per_group / 2];
    let groups = coarse.blocks.chunks_exact(coarse.per_group).skip(first_group);
    let norms = coarse.norms[first_group * GROUP..].chunks(GROUP);
    for (((group, norms), row_scales), bounds) in
        groups.zip(norms).zip(row_scales.chunks(GROUP)).zip(bounds.chunks_mut(GROUP))
    {
        let (pairs, _) = group.as_chunks::<2>();
        let sums = sums::<M, VECTORS, CHAINS>(isa, pairs, columns);
        if let (Some(norms), Some(row_scales), Some(bounds)) =
            (norms.first_chunk::<GROUP>(), row_scales.first_chunk::<GROUP>(), bounds.first_chunk_mut::<GROUP>())
        {
            // A length known at compile time: whole vectors.
            finish(&sums, input, norms, row_scales, scale, bounds);
        } else {
            finish(&sums, input, norms, row_scales, scale, bounds);
        }
    }
}

/// Converts sums to bounds.
#[inline(always)]
pub(super) fn finish(
    sums: &[i32; GROUP],
    input: &Input,
    norms: &[f32],
    row_scales: &[f32],
    scale: f32,
    bounds: &mut [f32],
) {
    for (((bound, &sum), &norm), &row_scale) in bounds.iter_mut().zip(sums).zip(norms).zip(row_scales) {
        let near = (32 * sum - input.surplus) as f32 * 64.0;
        *bound = (near + norm * input.reach) * (row_scale * scale);
    }
}

/// `Σ c·a` of the rows of a group, whose blocks come in pairs. Columns are distributed over `CHAINS` sums, because with
/// only one each addition would wait for the previous one.
#[inline(always)]
fn sums<M: Coarse, const VECTORS: usize, const CHAINS: usize>(
    isa: M::Isa,
    pairs: &[[Block; 2]],
    columns: &[Columns],
) -> [i32; GROUP] {
    let mut parts = [[M::no_sums(isa); VECTORS]; CHAINS];
    let (whole_pairs, last_pairs) = pairs.as_chunks::<WIDEN>();
    let (whole_columns, last_columns) = columns.as_chunks::<WIDEN>();
    for (pairs, columns) in whole_pairs.iter().zip(whole_columns) {
        for i in 0..WIDEN {
            add::<M, VECTORS>(isa, &pairs[i], &columns[i], &mut parts[i % CHAINS]);
        }
        for parts in parts.as_flattened_mut() {
            *parts = M::widen(*parts);
        }
    }
    for (pair, columns) in last_pairs.iter().zip(last_columns) {
        add::<M, VECTORS>(isa, pair, columns, &mut parts[0]);
    }
    let mut sums = [0; GROUP];
    for parts in parts {
        let mut of_chain = [0; GROUP];
        for (part, sums) in parts.into_iter().zip(of_chain.chunks_exact_mut(16 / M::PER_BLOCK)) {
            M::finish(M::widen(part), sums);
        }
        for (sum, of_chain) in sums.iter_mut().zip(of_chain) {
            *sum += of_chain;
        }
    }
    sums
}

/// Adds the products of 8 columns to the sums of 32 rows.
#[inline(always)]
fn add<M: Coarse, const VECTORS: usize>(
    isa: M::Isa,
    pair: &[Block; 2],
    columns: &Columns,
    parts: &mut [M::Sums; VECTORS],
) {
    let columns = M::columns(isa, columns);
    for (v, part) in parts.iter_mut().enumerate() {
        *part = M::load_codes(isa, &pair[v / M::PER_BLOCK], v % M::PER_BLOCK).add_dot(columns, *part);
    }
}

/// The entry functions of an instruction set: [`bounds`] with `$vectors` of `$vector` per group, in `$chains`, and
/// [`bounds_together`](super::coarse_many::bounds_together) of `$together` sessions, `$across` of them at a time.
macro_rules! entry {
    ($isa:ty, $vector:ty, $vectors:literal, $chains:literal, $together:literal, $across:literal, $features:literal) => {
        pub(in crate::head) const BOUNDS: bool = true;

        pub(in crate::head) fn bounds(
            isa: $isa,
            coarse: &CoarseRows,
            first_group: usize,
            input: &coarse::Input,
            scales: (&[f32], f32),
            bounds: &mut [f32],
        ) {
            #[target_feature(enable = $features)]
            fn compiled(
                isa: $isa,
                coarse: &CoarseRows,
                first_group: usize,
                input: &coarse::Input,
                scales: (&[f32], f32),
                bounds: &mut [f32],
            ) {
                coarse::bounds::<$vector, $vectors, $chains>(isa, coarse, first_group, input, scales, bounds);
            }
            // SAFETY: the token proves that the CPU has the features.
            #[allow(unused_unsafe, reason = "WebAssembly has no CPU without the features a module was accepted with")]
            unsafe {
                compiled(isa, coarse, first_group, input, scales, bounds)
            }
        }

        pub(in crate::head) fn bounds_together(isa: $isa, input: coarse_many::Input<'_>, each: coarse_many::Each<'_>) {
            #[target_feature(enable = $features)]
            fn compiled(isa: $isa, input: coarse_many::Input<'_>, each: coarse_many::Each<'_>) {
                coarse_many::bounds_together::<$vector, $across, $together>(isa, input, each);
            }
            // SAFETY: the token proves that the CPU has the features.
            #[allow(unused_unsafe, reason = "WebAssembly has no CPU without the features a module was accepted with")]
            unsafe {
                compiled(isa, input, each)
            }
        }
    };
}
pub(super) use entry;
