//! The head with RISC-V vectors: rows widened to 16 bits are multiplied with the activations and added into 32 bits.

use crate::isa::{Rvv, rvv};

use super::shape::{Input, Shape};
pub(super) use super::unbounded::many::{BOUNDS_MANY, bounds_many};
pub(super) use super::unbounded::one::{BOUNDS, bounds, bounds_together, exact};

/// All rows of the file, sequentially.
pub(crate) fn int8(isa: Rvv, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
    for ((row, &row_scale), logit) in rows.chunks_exact(q.len()).zip(row_scales).zip(logits) {
        *logit = dot(isa, row, q) as f32 * (row_scale * scale);
    }
}

/// `row · q`, exact in 32 bits.
#[inline(always)]
fn dot(_: Rvv, row: &[i8], q: &[i16]) -> i32 {
    assert!(!q.is_empty() && row.len() == q.len());
    let sum: i32;
    // SAFETY: the token proves the instructions; exactly the bytes and values of the slices are read.
    unsafe {
        rvv!(
            "vsetvli {n}, zero, e32, m8, ta, ma",
            "vmv.v.i v8, 0",
            "2:",
            // Tail lanes of the sums are left undisturbed.
            "vsetvli {n}, {left}, e16, m4, tu, ma",
            "vle8.v v2, ({row})",
            "vsext.vf2 v16, v2",
            "vle16.v v20, ({q})",
            "vwmacc.vv v8, v16, v20",
            "sub {left}, {left}, {n}",
            "add {row}, {row}, {n}",
            "add {q}, {q}, {n}",
            "add {q}, {q}, {n}",
            "bnez {left}, 2b",
            "vsetvli {n}, zero, e32, m8, ta, ma",
            "vmv.s.x v16, zero",
            "vredsum.vs v16, v8, v16",
            "vmv.x.s {n}, v16";
            row = inout(reg) row.as_ptr() => _, q = inout(reg) q.as_ptr() => _, left = inout(reg) q.len() => _,
            n = out(reg) sum,
        );
    }
    sum
}

pub(crate) fn float(_: Rvv, rows: &[u8], z: &[f32], logits: &mut [f32]) {
    super::generic::float(rows, z, logits);
}

/// Rows are read unchanged: sums across lanes cost one instruction.
pub(super) const SHAPE: Option<Shape> = None;

pub(super) fn int8_many(_: Rvv, _: Input<'_>, _: &mut [f32]) {
    unreachable!("no rows were laid out")
}
