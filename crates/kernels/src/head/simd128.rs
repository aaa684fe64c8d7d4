//! The head with WebAssembly SIMD: INT8 widened to 16 bits, `i32x4.dot_i16x8` on pairs of columns.

use super::generic::dot;
use crate::isa::Simd128;
use core::arch::wasm32::*;

pub(crate) use crate::vector::simd128::dot_rows as float;

#[target_feature(enable = "simd128")]
pub(crate) fn int8(_: Simd128, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    let (whole, tail) = q.as_chunks::<16>();
    for ((row, &row_scale), logit) in rows.chunks_exact(q.len()).zip(row_scales).zip(logits) {
        let (chunks, last) = row.as_chunks::<16>();
        let (mut low, mut high) = (i32x4_splat(0), i32x4_splat(0));
        for (e, q) in chunks.iter().zip(whole) {
            // SAFETY: `e` is 16 bytes.
            let e = unsafe { v128_load(e.as_ptr().cast()) };
            // SAFETY: `q` is 32 bytes.
            let (q_low, q_high) = unsafe { (v128_load(q.as_ptr().cast()), v128_load(q.as_ptr().add(8).cast())) };
            low = i32x4_add(low, i32x4_dot_i16x8(i16x8_extend_low_i8x16(e), q_low));
            high = i32x4_add(high, i32x4_dot_i16x8(i16x8_extend_high_i8x16(e), q_high));
        }
        let four = i32x4_add(low, high);
        let two = i32x4_add(four, i32x4_shuffle::<2, 3, 0, 1>(four, four));
        let sum = i32x4_extract_lane::<0>(two) + i32x4_extract_lane::<1>(two) + dot(last, tail);
        *logit = sum as f32 * (row_scale * scale);
    }
}
