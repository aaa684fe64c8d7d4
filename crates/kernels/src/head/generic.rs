//! The head in plain Rust.

use crate::vector::generic::sum16;

/// Two rows at a time, sharing the loads of the activations.
pub(crate) fn int8(rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    let d = q.len();
    let mut pairs = rows.chunks_exact(2 * d);
    let (scale_pairs, scales_left) = row_scales.as_chunks::<2>();
    let (logit_pairs, logits_left) = logits.as_chunks_mut::<2>();
    for ((rows, row_scales), logits) in (&mut pairs).zip(scale_pairs).zip(logit_pairs) {
        let (first, second) = rows.split_at(d);
        let [a, b] = dot_pair(first, second, q);
        *logits = [a as f32 * (row_scales[0] * scale), b as f32 * (row_scales[1] * scale)];
    }
    for ((row, &row_scale), logit) in pairs.remainder().chunks_exact(d).zip(scales_left).zip(logits_left) {
        *logit = dot(row, q) as f32 * (row_scale * scale);
    }
}

/// [`dot`] of two rows, eight columns per step. With vector instructions the compiler generates better code from plain
/// loops.
#[inline(always)]
fn dot_pair(first: &[i8], second: &[i8], q: &[i16]) -> [i32; 2] {
    if !cfg!(target_arch = "xtensa") {
        return [dot(first, q), dot(second, q)];
    }
    let (steps, tail) = q.as_chunks::<8>();
    let (a, a_tail) = first.as_chunks::<8>();
    let (b, b_tail) = second.as_chunks::<8>();
    let (mut sum_a, mut sum_b) = (dot(a_tail, tail), dot(b_tail, tail));
    for ((q, a), b) in steps.iter().zip(a).zip(b) {
        for i in 0..8 {
            let q = i32::from(q[i]);
            sum_a += i32::from(a[i]) * q;
            sum_b += i32::from(b[i]) * q;
        }
    }
    [sum_a, sum_b]
}

/// `Σ e_i · q_i`.
#[inline(always)]
pub(super) fn dot(row: &[i8], q: &[i16]) -> i32 {
    row.iter().zip(q).map(|(&e, &q)| i32::from(e) * i32::from(q)).sum()
}

pub(crate) fn float(rows: &[u8], z: &[f32], logits: &mut [f32]) {
    for (row, logit) in rows.chunks_exact(z.len() * 4).zip(logits) {
        let (row, _) = row.as_chunks::<4>();
        *logit = sum16!([row, z], |e, z| f32::from_le_bytes(e) * z);
    }
}
