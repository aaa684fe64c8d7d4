//! MVE of a Cortex-M55: sixteen products of bytes per instruction, added into one register.
//!
//! A vector of 16 bytes has the weights of 64 columns. The activations are rearranged once for all rows, so that they
//! meet the weights in four vectors:
//!
//! ```text
//! weights      byte 0: columns 0-3   byte 1: columns 4-7   …   byte 15: columns 60-63
//! plane 0      column 0              column 4                  column 60
//! planes 1-3   columns 1, 2 and 3    columns 5, 6 and 7        columns 61, 62 and 63
//! ```
//!
//! The codes 00, 01 and 10 become `weight + 2` first, four weights per byte at once; the resulting surplus, `2 · Σ q_i`
//! for every row, is subtracted. The weights of planes 1 and 2 are left in place, four and sixteen times too large,
//! which exact shifts of their sums correct. Two rows share the loads of the activations, and lanes beyond the end of a
//! row are off.

use crate::isa::Mve;
use core::arch::asm;

/// Bytes in a vector.
const LANES: usize = 16;

/// The activations of 64 columns.
pub(super) type Planes = [[i8; LANES]; 4];

/// Vectors for up to this many columns at a time.
pub(super) const PLANES: usize = 8;

/// `y = (weights · q) · scale`. `weights`: rows of `row_bytes` bytes; `q` is padded to a multiple of 4; `sums` has space
/// for one per row.
#[allow(clippy::too_many_arguments, reason = "the work buffers are two of them")]
pub(super) fn matvec<'a>(
    isa: Mve,
    weights: &'a [u8],
    row_bytes: usize,
    q: &[i8],
    scale: f32,
    planes: &mut [Planes],
    sums: &mut [i32],
    y: &mut [f32],
) {
    let surplus: i32 = q.iter().map(|&q| 2 * i32::from(q)).sum();
    sums.fill(-surplus);
    let (quads, _) = q.as_chunks::<4>();
    for (part, quads) in quads[..row_bytes].chunks(PLANES * LANES).enumerate() {
        let first = part * PLANES * LANES;
        arrange(quads, planes);
        let (pairs, last) = sums.as_chunks_mut::<2>();
        let part = |row: &'a [u8]| &row[first..][..quads.len()];
        let rows = weights.chunks_exact(2 * row_bytes);
        if let [sum] = last {
            let row = part(rows.remainder());
            let mut sums = [*sum, 0];
            add(isa, [row, row], planes, &mut sums);
            *sum = sums[0];
        }
        for (rows, sums) in rows.zip(pairs) {
            let (a, b) = rows.split_at(row_bytes);
            add(isa, [part(a), part(b)], planes, sums);
        }
    }
    for (y, &sum) in y.iter_mut().zip(&*sums) {
        *y = sum as f32 * scale;
    }
}

fn arrange(quads: &[[i8; 4]], planes: &mut [Planes]) {
    for (planes, quads) in planes.iter_mut().zip(quads.chunks(LANES)) {
        for (i, quad) in quads.iter().enumerate() {
            for (plane, &q) in planes.iter_mut().zip(quad) {
                plane[i] = q;
            }
        }
    }
}

/// Adds the products of two rows to their sums, with each weight 2 too large.
#[inline(always)]
fn add(_: Mve, rows: [&[u8]; 2], planes: &[Planes], sums: &mut [i32; 2]) {
    let [a, b] = rows;
    assert!(!a.is_empty() && a.len() == b.len() && a.len() <= planes.len() * LANES);
    let [mut a0, mut b0] = *sums;
    let (a1, a2, b1, b2): (i32, i32, i32, i32);
    // SAFETY: the token proves the instructions. Exactly the bytes of the rows are read, and for each vector of them,
    // whole or not, the vectors of its planes.
    unsafe {
        asm!(
            "vmov.i8 q4, #0x03",
            "vmov.i8 q5, #0x0c",
            "vmov.i8 q6, #0x30",
            "vmov.i8 q7, #0xaa",
            "dlstp.8 lr, {bytes}",
            "2:",
            "vldrb.u8 q0, [{a}], #16",
            "vldrb.u8 q1, [{b}], #16",
            // code ^ (high bit of code) ^ 2 = weight + 2.
            "vand q2, q0, q7",
            "vand q3, q1, q7",
            "vshr.u8 q2, q2, #1",
            "vshr.u8 q3, q3, #1",
            "veor q0, q0, q7",
            "veor q1, q1, q7",
            "veor q0, q0, q2",
            "veor q1, q1, q3",
            "vldrb.u8 q2, [{planes}], #16",
            "vand q3, q0, q4",
            "vmladava.s8 r0, q3, q2",
            "vand q3, q1, q4",
            "vmladava.s8 r8, q3, q2",
            "vldrb.u8 q2, [{planes}], #16",
            "vand q3, q0, q5",
            "vmladava.s8 r2, q3, q2",
            "vand q3, q1, q5",
            "vmladava.s8 r10, q3, q2",
            "vldrb.u8 q2, [{planes}], #16",
            "vand q3, q0, q6",
            "vmladava.s8 r4, q3, q2",
            "vand q3, q1, q6",
            "vmladava.s8 r12, q3, q2",
            "vldrb.u8 q2, [{planes}], #16",
            "vshr.u8 q3, q0, #6",
            "vmladava.s8 r0, q3, q2",
            "vshr.u8 q3, q1, #6",
            "vmladava.s8 r8, q3, q2",
            "letp lr, 2b",
            bytes = in(reg) a.len(),
            a = inout(reg) a.as_ptr() => _,
            b = inout(reg) b.as_ptr() => _,
            planes = inout(reg) planes.as_ptr() => _,
            // Only even registers take sums.
            inout("r0") a0, inout("r2") 0 => a1, inout("r4") 0 => a2,
            inout("r8") b0, inout("r10") 0 => b1, inout("r12") 0 => b2,
            out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            out("d8") _, out("d9") _, out("d10") _, out("d11") _, out("d12") _, out("d13") _, out("d14") _,
            out("d15") _,
            options(readonly, nostack),
        );
    }
    *sums = [a0 + (a1 >> 2) + (a2 >> 4), b0 + (b1 >> 2) + (b2 >> 4)];
}
