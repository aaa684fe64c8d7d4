//! WebAssembly relaxed SIMD: the dot product of signed bytes and 7-bit bytes, added into 32 bits.
//!
//! Engines may differ in the result of `i32x4.relaxed_dot_i8x16_i7x16_add` if a pair of products exceeds 16 bits or the
//! second operand uses its eighth bit. Neither happens: the codes of the first three planes are left in place, so they
//! are at most `2 · 16`, and the last plane's are shifted down. So the result is the same on every engine.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, PLANES, dword, rows_of, surplus};
use crate::isa::RelaxedSimd;
use crate::vector::simd128::store_scaled;
use core::arch::wasm32::*;

/// Vectors of 4 × 4 rows in a block.
const PER_BLOCK: usize = 4;
/// Vectors processed together.
const VECTORS: usize = 2;
/// Blocks after which the sums are extracted: a block adds at most `4 · 2 · 127 · 16` to the third plane's.
const JOIN: usize = 1 << 16;

pub(super) fn matmul(_: RelaxedSimd, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    #[target_feature(enable = "simd128,relaxed-simd")]
    fn compiled(blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
        for (t, y) in y.chunks_exact_mut(y.len() / x.rows()).enumerate() {
            let (surplus, scale) = (i32x4_splat(surplus(x.padded(t))), scale * x.scale(t));
            for first in (0..blocks.vectors::<PER_BLOCK>()).step_by(VECTORS) {
                let columns = blocks.of_vector::<PER_BLOCK>(first);
                for (v, sums) in sums(columns, first % PER_BLOCK, x.quads(t)).into_iter().enumerate() {
                    for (p, sum) in sums.into_iter().enumerate() {
                        store_scaled(i32x4_add(sum, surplus), scale, rows_of::<PER_BLOCK>(first + v, p, y));
                    }
                }
            }
        }
    }
    // SAFETY: the engine accepted the module, so the instructions exist.
    #[allow(unused_unsafe, reason = "a function is safe to call where its instructions are enabled for all")]
    unsafe {
        compiled(blocks, x, scale, y);
    }
}

/// The sums of the rows in the vectors of each block starting at `part`.
#[target_feature(enable = "simd128,relaxed-simd")]
fn sums(columns: &[Block], part: usize, quads: &[[i8; 4]]) -> [[v128; PLANES]; VECTORS] {
    let mut rows = [[i32x4_splat(0); PLANES]; VECTORS];
    for (blocks, quads) in columns.chunks(JOIN).zip(quads.chunks(JOIN)) {
        let mut sums = [[i32x4_splat(0); PLANES]; VECTORS];
        for (block, quad) in blocks.iter().zip(quads) {
            let x = i32x4_splat(dword(*quad));
            for (v, sums) in sums.iter_mut().enumerate() {
                let (quarters, _) = block.0.as_chunks::<16>();
                // SAFETY: a quarter has the 16 bytes that are loaded.
                let block = unsafe { v128_load(quarters[part + v].as_ptr().cast()) };
                let codes = [
                    v128_and(block, u8x16_splat(0x03)),
                    v128_and(block, u8x16_splat(0x0c)),
                    v128_and(block, u8x16_splat(0x30)),
                    u8x16_shr(block, 6),
                ];
                for p in 0..PLANES {
                    sums[p] = i32x4_relaxed_dot_i8x16_i7x16_add(x, codes[p], sums[p]);
                }
            }
        }
        for (rows, sums) in rows.iter_mut().zip(sums) {
            let exact = [sums[0], i32x4_shr(sums[1], 2), i32x4_shr(sums[2], 4), sums[3]];
            for p in 0..PLANES {
                rows[p] = i32x4_add(rows[p], exact[p]);
            }
        }
    }
    rows
}
