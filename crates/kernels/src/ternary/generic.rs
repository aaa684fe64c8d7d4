//! Decode and add, one weight at a time.

/// `weights`: rows of `ceil(q.len() / 4)` bytes.
pub(super) fn matvec(weights: &[u8], q: &[i8], scale: f32, y: &mut [f32]) {
    for (row, y) in weights.chunks_exact(q.len().div_ceil(4)).zip(y) {
        let mut sum = 0i32;
        for (&byte, q) in row.iter().zip(q.chunks(4)) {
            for (i, &q) in q.iter().enumerate() {
                let code = i32::from(byte >> (2 * i));
                // 01 is +1, 10 is -1: the low bit less the high bit.
                sum += ((code & 1) - ((code >> 1) & 1)) * i32::from(q);
            }
        }
        *y = sum as f32 * scale;
    }
}
