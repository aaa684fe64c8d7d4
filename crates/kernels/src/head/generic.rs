//! The head in plain Rust.

use crate::vector::generic::sum16;

pub(crate) fn int8(rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    for ((row, &row_scale), logit) in rows.chunks_exact(q.len()).zip(row_scales).zip(logits) {
        *logit = dot(row, q) as f32 * (row_scale * scale);
    }
}

/// `Σ e_i · q_i`.
#[inline(always)]
pub(super) fn dot(row: &[i8], q: &[i16]) -> i32 {
    row.iter().zip(q).map(|(&e, &q)| i32::from(e) * i32::from(q)).sum()
}

pub(crate) fn float(rows: &[u8], z: &[f32], logits: &mut [f32]) {
    for (row, logit) in rows.chunks_exact(z.len() * 4).zip(logits) {
        let (row, _) = row.as_chunks::<4>();
        *logit = sum16(z.len(), |i| f32::from_le_bytes(row[i]) * z[i]);
    }
}
