//! WebAssembly SIMD: `i32x4.dot_i16x8` on pairs of columns.
//!
//! A 16-bit lane of a block has columns 0 and 1, or 2 and 3, of a row in each plane. A mask extracts the code of the
//! first of the two in one plane, and after one shift by 8 that of the second, so no code is widened; an exact shift at
//! the end corrects the power of two by which a plane's codes are too large.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, PLANES, dword, rows_of, surplus};
use crate::isa::Simd128;
use crate::vector::simd128::store_scaled;
use core::arch::wasm32::*;

/// Vectors of 4 × 4 rows in a block.
const PER_BLOCK: usize = 4;
/// Blocks after which the sums are extracted: a block adds at most `4 · 2 · 127 · 64` to the upper plane's.
const JOIN: usize = 1 << 15;

#[target_feature(enable = "simd128")]
pub(super) fn matmul(_: Simd128, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    for (t, y) in y.chunks_exact_mut(y.len() / x.rows()).enumerate() {
        let (surplus, scale) = (i32x4_splat(surplus(x.padded(t))), scale * x.scale(t));
        for v in 0..blocks.vectors::<PER_BLOCK>() {
            let sums = sums(blocks.of_vector::<PER_BLOCK>(v), v % PER_BLOCK, x.quads(t));
            for (p, sum) in sums.into_iter().enumerate() {
                store_scaled(i32x4_add(sum, surplus), scale, rows_of::<PER_BLOCK>(v, p, y));
            }
        }
    }
}

/// The sums of the rows in the `part`-th vector of each block.
#[target_feature(enable = "simd128")]
fn sums(columns: &[Block], part: usize, quads: &[[i8; 4]]) -> [v128; PLANES] {
    let masks = [u16x8_splat(0x03), u16x8_splat(0x0c), u16x8_splat(0x30), u16x8_splat(0xc0)];
    let mut rows = [i32x4_splat(0); PLANES];
    for (blocks, quads) in columns.chunks(JOIN).zip(quads.chunks(JOIN)) {
        let mut sums = [i32x4_splat(0); PLANES];
        for (block, quad) in blocks.iter().zip(quads) {
            let x = i32x4_splat(dword(*quad));
            let (x_even, x_odd) = (i16x8_shr(i16x8_shl(x, 8), 8), i16x8_shr(x, 8));
            let (quarters, _) = block.0.as_chunks::<16>();
            // SAFETY: a quarter has the 16 bytes that are loaded.
            let even = unsafe { v128_load(quarters[part].as_ptr().cast()) };
            let odd = u16x8_shr(even, 8);
            for p in 0..PLANES {
                sums[p] = i32x4_add(sums[p], i32x4_dot_i16x8(v128_and(even, masks[p]), x_even));
                sums[p] = i32x4_add(sums[p], i32x4_dot_i16x8(v128_and(odd, masks[p]), x_odd));
            }
        }
        let exact = [sums[0], i32x4_shr(sums[1], 2), i32x4_shr(sums[2], 4), i32x4_shr(sums[3], 6)];
        for p in 0..PLANES {
            rows[p] = i32x4_add(rows[p], exact[p]);
        }
    }
    rows
}
