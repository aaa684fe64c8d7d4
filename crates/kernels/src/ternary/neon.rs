//! NEON: widening products, added into 16 bits.
//!
//! `smlal` adds eight products of bytes to 16-bit lanes, one lane per column of a row. The codes of the second plane
//! are left in place, four times too large, which an exact shift corrects at the end: `8 · 127 · 32` fits 16 bits.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, PLANES, rows_of, surplus};
use crate::isa::Neon;
use crate::vector::neon::store_scaled;
use core::arch::aarch64::*;

/// Vectors of 4 × 4 rows in a block.
const PER_BLOCK: usize = 4;
/// Vectors processed together: their 16-bit sums take half of the registers.
const VECTORS: usize = 2;
/// Blocks whose sums fit 16-bit lanes.
const WIDEN: usize = 32;

/// The 16-bit sums of a plane: of the first two rows, and of the other two.
type Narrow = [int16x8_t; 2];

pub(super) fn matmul(_: Neon, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    #[target_feature(enable = "neon")]
    fn compiled(blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
        for (t, y) in y.chunks_exact_mut(y.len() / x.rows()).enumerate() {
            let (surplus, scale) = (vdupq_n_s32(surplus(x.padded(t))), scale * x.scale(t));
            for first in (0..blocks.vectors::<PER_BLOCK>()).step_by(VECTORS) {
                let columns = blocks.of_vector::<PER_BLOCK>(first);
                for (v, sums) in sums(columns, first % PER_BLOCK, x.quads(t)).into_iter().enumerate() {
                    for (p, sum) in sums.into_iter().enumerate() {
                        let y = rows_of::<PER_BLOCK>(first + v, p, y);
                        // SAFETY: this function only runs on a CPU with NEON.
                        unsafe { store_scaled(vaddq_s32(sum, surplus), scale, y) };
                    }
                }
            }
        }
    }
    // SAFETY: the token proves the feature.
    #[allow(unused_unsafe, reason = "many targets have NEON enabled globally")]
    unsafe {
        compiled(blocks, x, scale, y)
    }
}

/// The sums of the rows in the vectors of each block starting at `part`.
#[inline]
#[target_feature(enable = "neon")]
fn sums(columns: &[Block], part: usize, quads: &[[i8; 4]]) -> [[int32x4_t; PLANES]; VECTORS] {
    let mut sums = [[vdupq_n_s32(0); PLANES]; VECTORS];
    // The values past the columns are zeros.
    let quads = &quads[..columns.len()];
    for (blocks, quads) in columns.chunks(WIDEN).zip(quads.chunks(WIDEN)) {
        let mut narrow = [[[vdupq_n_s16(0); 2]; PLANES]; VECTORS];
        // Two blocks per step, to share the overhead.
        let ((blocks, last_blocks), (pairs, last_quads)) = (blocks.as_chunks::<2>(), quads.as_chunks::<2>());
        for (block, quad) in blocks.iter().zip(pairs) {
            add(&block[0], part, &quad[0], &mut narrow);
            add(&block[1], part, &quad[1], &mut narrow);
        }
        for (block, quad) in last_blocks.iter().zip(last_quads) {
            add(block, part, quad, &mut narrow);
        }
        for v in 0..VECTORS {
            for p in 0..PLANES {
                let [low, high] = narrow[v][p];
                sums[v][p] = vaddq_s32(sums[v][p], vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
            }
        }
    }
    for sums in &mut sums {
        sums[1] = vshrq_n_s32::<2>(sums[1]);
    }
    sums
}

/// Adds the products of four columns.
#[inline]
#[target_feature(enable = "neon")]
fn add(block: &Block, part: usize, quad: &[i8; 4], narrow: &mut [[Narrow; PLANES]; VECTORS]) {
    // SAFETY: reads four bytes of four.
    let x = vreinterpretq_s8_s32(unsafe { vld1q_dup_s32(quad.as_ptr().cast()) });
    let (quarters, _) = block.0.as_chunks::<16>();
    let (first, second) = (vdupq_n_u8(0x03), vdupq_n_u8(0x0c));
    for (v, narrow) in narrow.iter_mut().enumerate() {
        // SAFETY: a quarter has the 16 bytes that are loaded.
        let quarter = unsafe { vld1q_u8(quarters[part + v].as_ptr()) };
        let codes = [
            vandq_u8(quarter, first),
            vandq_u8(quarter, second),
            vandq_u8(vshrq_n_u8::<4>(quarter), first),
            vshrq_n_u8::<6>(quarter),
        ];
        for p in 0..PLANES {
            let codes = vreinterpretq_s8_u8(codes[p]);
            narrow[p][0] = vmlal_s8(narrow[p][0], vget_low_s8(codes), vget_low_s8(x));
            narrow[p][1] = vmlal_high_s8(narrow[p][1], codes, x);
        }
    }
}
