//! WebAssembly SIMD: codes and activations widened to 16 bits, `i32x4.dot_i16x8` on pairs of columns.

use super::QuantisedRows;
use super::blocks::{Block, Blocks};
use crate::isa::Simd128;
use crate::vector::simd128::store_scaled;
use core::arch::wasm32::*;

#[target_feature(enable = "simd128")]
pub(super) fn matmul(_: Simd128, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    for (t, y) in y.chunks_exact_mut(y.len() / x.rows()).enumerate() {
        matvec(blocks, x.padded(t), scale * x.scale(t), y);
    }
}

#[target_feature(enable = "simd128")]
fn matvec(blocks: &Blocks, q: &[i8], scale: f32, y: &mut [f32]) {
    let surplus = -q.iter().map(|&q| i32::from(q)).sum::<i32>();
    for (group, y) in blocks.passes(1).0.zip(y.chunks_mut(16)) {
        let sums = row_group(group, q, surplus);
        for (sums, y) in sums.into_iter().zip(y.chunks_mut(4)) {
            store_scaled(sums, scale, y);
        }
    }
}

/// The sums of 16 rows, four to a vector.
#[target_feature(enable = "simd128")]
fn row_group(group: &[Block], q: &[i8], surplus: i32) -> [v128; 4] {
    let mut sums = [i32x4_splat(surplus); 4];
    let two_bits = u8x16_splat(3);
    for (quarter, sums) in sums.iter_mut().enumerate() {
        // Rows 0 and 1 of the four, then rows 2 and 3, two partial sums a row.
        let (mut low, mut high) = (i32x4_splat(0), i32x4_splat(0));
        for (block, q) in group.iter().zip(q.chunks_exact(16)) {
            // SAFETY: a block is 64 bytes, `q` is 16: all loads lie within.
            let codes = unsafe { v128_load(block.0.as_ptr().cast::<v128>().add(quarter)) };
            // SAFETY: as above.
            let x = unsafe { v128_load(q.as_ptr().cast()) };
            let planes = [
                (v128_and(codes, two_bits), i32x4_shuffle::<0, 0, 0, 0>(x, x)),
                (v128_and(u8x16_shr(codes, 2), two_bits), i32x4_shuffle::<1, 1, 1, 1>(x, x)),
                (v128_and(u8x16_shr(codes, 4), two_bits), i32x4_shuffle::<2, 2, 2, 2>(x, x)),
                (u8x16_shr(codes, 6), i32x4_shuffle::<3, 3, 3, 3>(x, x)),
            ];
            for (codes, x) in planes {
                // The four activations are the same for every row, so one widening serves both halves.
                let x = i16x8_extend_low_i8x16(x);
                low = i32x4_add(low, i32x4_dot_i16x8(i16x8_extend_low_u8x16(codes), x));
                high = i32x4_add(high, i32x4_dot_i16x8(i16x8_extend_high_u8x16(codes), x));
            }
        }
        let even = i32x4_shuffle::<0, 2, 4, 6>(low, high);
        let odd = i32x4_shuffle::<1, 3, 5, 7>(low, high);
        *sums = i32x4_add(*sums, i32x4_add(even, odd));
    }
    sums
}
