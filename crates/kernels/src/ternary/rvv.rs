//! RISC-V vectors: widening products, added into 16 bits, for registers of any length.
//!
//! The bytes of a block that fit two registers are processed at once: half of it with registers of 128 bits, all of it
//! with longer ones. A 16-bit lane is a column of a row. The codes of the second plane are left in place, four times
//! too large, which an exact shift corrects at the end: `8 · 127 · 32` fits 16 bits.

use super::QuantisedRows;
use super::blocks::{Block, Blocks, ROWS, surplus};
use crate::isa::{Rvv, rvv};

/// Blocks whose sums fit 16-bit lanes.
const WIDEN: usize = 32;

pub(super) fn matmul(isa: Rvv, blocks: &Blocks, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    let lanes = lanes(isa);
    for (t, y) in y.chunks_exact_mut(y.len() / x.rows()).enumerate() {
        let (surplus, scale) = (surplus(x.padded(t)), scale * x.scale(t));
        for (group, y) in y.chunks_mut(ROWS).enumerate() {
            let columns = blocks.of_vector::<1>(group);
            let quads = &x.quads(t)[..columns.len()];
            let mut sums = [0; ROWS];
            for part in (0..ROWS).step_by(lanes) {
                for (columns, quads) in columns.chunks(WIDEN).zip(quads.chunks(WIDEN)) {
                    add(isa, columns, quads, part, lanes, &mut sums);
                }
            }
            if let Some(y) = y.first_chunk_mut::<ROWS>() {
                scale_into(isa, &sums, surplus, scale, y);
            } else {
                let mut all = [0.0; ROWS];
                scale_into(isa, &sums, surplus, scale, &mut all);
                y.copy_from_slice(&all[..y.len()]);
            }
        }
    }
}

/// Bytes of a block that are processed at once: a power of two, limited by two registers and the block.
fn lanes(_: Rvv) -> usize {
    let lanes: usize;
    // SAFETY: the token proves the instructions; this only queries a length and accesses no memory.
    unsafe { rvv!("vsetvli {lanes}, {most}, e8, m2, ta, ma"; lanes = out(reg) lanes, most = in(reg) ROWS,) };
    lanes
}

/// Adds the products of up to [`WIDEN`] blocks, for their bytes starting at `part`, to the sums of their rows.
fn add(_: Rvv, columns: &[Block], quads: &[[i8; 4]], part: usize, lanes: usize, sums: &mut [i32; ROWS]) {
    assert!(!columns.is_empty() && columns.len() == quads.len() && part + lanes <= ROWS);
    // SAFETY: the token proves the instructions. It reads `lanes` bytes starting at `part` of each block, and a quad
    // for each; of each plane's 16 sums it reads and writes those of the rows at these bytes, four bytes per row.
    unsafe {
        let first = columns.as_ptr().cast::<u8>().add(part);
        rvv!(
            "vsetvli zero, {lanes}, e16, m4, ta, ma",
            "vmv.v.i v8, 0",
            "vmv.v.i v12, 0",
            "vmv.v.i v16, 0",
            "vmv.v.i v20, 0",
            "2:",
            // Four activations, repeated for every row.
            "lw {x}, ({quads})",
            "vsetvli zero, {rows}, e32, m2, ta, ma",
            "vmv.v.x v2, {x}",
            "vsetvli zero, {lanes}, e8, m2, ta, ma",
            "vle8.v v4, ({block})",
            "addi {quads}, {quads}, 4",
            "addi {block}, {block}, 64",
            "vand.vi v6, v4, 3",
            "vwmaccsu.vv v8, v2, v6",
            "vand.vi v6, v4, 12",
            "vwmaccsu.vv v12, v2, v6",
            "vsrl.vi v4, v4, 4",
            "vand.vi v6, v4, 3",
            "vwmaccsu.vv v16, v2, v6",
            "vsrl.vi v4, v4, 2",
            "vwmaccsu.vv v20, v2, v4",
            "bne {block}, {end}, 2b",
            // The sum of each row's four lanes: adjacent pairs, twice.
            "vsetvli zero, {half}, e16, m2, ta, ma",
            "vnsra.wi v2, v8, 0",
            "vnsra.wi v4, v8, 16",
            "vwadd.vv v8, v2, v4",
            "vnsra.wi v2, v12, 0",
            "vnsra.wi v4, v12, 16",
            "vwadd.vv v12, v2, v4",
            "vnsra.wi v2, v16, 0",
            "vnsra.wi v4, v16, 16",
            "vwadd.vv v16, v2, v4",
            "vnsra.wi v2, v20, 0",
            "vnsra.wi v4, v20, 16",
            "vwadd.vv v20, v2, v4",
            "vsetvli zero, {rows}, e32, m2, ta, ma",
            "li {x}, 32",
            "vnsra.wi v2, v8, 0",
            "vnsra.wx v4, v8, {x}",
            "vadd.vv v8, v2, v4",
            "vnsra.wi v2, v12, 0",
            "vnsra.wx v4, v12, {x}",
            "vadd.vv v12, v2, v4",
            "vnsra.wi v2, v16, 0",
            "vnsra.wx v4, v16, {x}",
            "vadd.vv v16, v2, v4",
            "vnsra.wi v2, v20, 0",
            "vnsra.wx v4, v20, {x}",
            "vadd.vv v20, v2, v4",
            "vle32.v v2, ({sums})",
            "vadd.vv v8, v8, v2",
            "vse32.v v8, ({sums})",
            "addi {sums}, {sums}, 64",
            "vle32.v v2, ({sums})",
            "vadd.vv v12, v12, v2",
            "vse32.v v12, ({sums})",
            "addi {sums}, {sums}, 64",
            "vle32.v v2, ({sums})",
            "vadd.vv v16, v16, v2",
            "vse32.v v16, ({sums})",
            "addi {sums}, {sums}, 64",
            "vle32.v v2, ({sums})",
            "vadd.vv v20, v20, v2",
            "vse32.v v20, ({sums})";
            quads = inout(reg) quads.as_ptr() => _,
            block = inout(reg) first => _,
            end = in(reg) first.add(columns.len() * 64),
            sums = inout(reg) sums.as_mut_ptr().add(part / 4) => _,
            lanes = in(reg) lanes, half = in(reg) lanes / 2, rows = in(reg) lanes / 4, x = out(reg) _,
        );
    }
}

/// `y = (sums + surplus) · scale`; the second plane's sums are four times too large.
fn scale_into(_: Rvv, sums: &[i32; ROWS], surplus: i32, scale: f32, y: &mut [f32; ROWS]) {
    let (sums, _) = sums.as_chunks::<16>();
    let (y, _) = y.as_chunks_mut::<16>();
    for ((plane, sums), y) in sums.iter().enumerate().zip(y) {
        // SAFETY: the token proves the instructions; 16 sums are read, and as many values written.
        unsafe {
            rvv!(
                "vsetivli zero, 16, e32, m4, ta, ma",
                "vle32.v v8, ({sums})",
                "vsra.vx v8, v8, {shift}",
                "vadd.vx v8, v8, {surplus}",
                "vfcvt.f.x.v v8, v8",
                "vfmul.vf v8, v8, {scale}",
                "vse32.v v8, ({y})";
                sums = in(reg) sums.as_ptr(), y = in(reg) y.as_mut_ptr(), surplus = in(reg) surplus,
                shift = in(reg) if plane == 1 { 2usize } else { 0 }, scale = in(freg) scale,
            );
        }
    }
}
