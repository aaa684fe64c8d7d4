//! Look-up tables for CPUs without SIMD: for every 4 activations, the sum that each byte of 4 weights gives.
//!
//! A table has 256 entries of which the 81 bytes without a code 11 are ever read; only those are filled. Tables for
//! [`TABLES`] · 4 columns are filled at a time, then all rows take their part of the sum from them, so that the
//! room is the same for any width.

/// One sum for every byte of 4 weights. A sum of four INT8 values fits i16.
pub(super) type Table = [i16; 256];

/// Tables in use at once: 16 KB of them, for 128 columns.
pub(super) const TABLES: usize = 32;

/// `weights`: rows of `q.len() / 4` bytes; `q` is padded to a multiple of 4.
pub(super) fn matvec(weights: &[u8], q: &[i8], tables: &mut [Table], sums: &mut [i32]) {
    sums.fill(0);
    let row_bytes = q.len() / 4;
    let (groups, _) = q.as_chunks::<4>();
    for (part, groups) in groups.chunks(TABLES).enumerate() {
        for (table, q) in tables.iter_mut().zip(groups) {
            fill(table, q);
        }
        let start = part * TABLES;
        // Two rows at a time share each step from table to table.
        let mut rows = weights.chunks_exact(2 * row_bytes);
        let mut pairs = sums.chunks_exact_mut(2);
        for (two, sums) in rows.by_ref().zip(pairs.by_ref()) {
            let (first, second) = two.split_at(row_bytes);
            let (first, second) = (&first[start..start + groups.len()], &second[start..start + groups.len()]);
            let (mut a, mut b) = (sums[0], sums[1]);
            for ((table, &w0), &w1) in tables.iter().zip(first).zip(second) {
                a += i32::from(table[usize::from(w0)]);
                b += i32::from(table[usize::from(w1)]);
            }
            (sums[0], sums[1]) = (a, b);
        }
        for (row, sum) in rows.remainder().chunks_exact(row_bytes).zip(pairs.into_remainder()) {
            for (table, &w) in tables.iter().zip(&row[start..start + groups.len()]) {
                *sum += i32::from(table[usize::from(w)]);
            }
        }
    }
}

/// Fills the entries of the 81 valid bytes: code 0 adds nothing, 1 adds the activation, 2 takes it off.
fn fill(table: &mut Table, q: &[i8; 4]) {
    let [q0, q1, q2, q3] = q.map(i16::from);
    let signed = |q: i16| [0, q, -q];
    for (c3, s3) in signed(q3).into_iter().enumerate() {
        for (c2, s2) in signed(q2).into_iter().enumerate() {
            let high = s3 + s2;
            let sixteen = &mut table[c3 << 6 | c2 << 4..][..16];
            for (c1, s1) in signed(q1).into_iter().enumerate() {
                let sum = high + s1;
                sixteen[c1 << 2] = sum;
                sixteen[c1 << 2 | 1] = sum + q0;
                sixteen[c1 << 2 | 2] = sum - q0;
            }
        }
    }
}
