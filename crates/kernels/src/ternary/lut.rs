//! Look-up tables for CPUs without SIMD: for every 4 activations, the sum for each byte of 4 weights.
//!
//! The tables of 16 columns share one [`Block`], interleaved: the sums for the byte `code` are at
//!
//! ```text
//! bytes   8·code + 0,1          + 2,3          + 4,5          + 6,7
//!         columns 0-3           4-7            8-11           12-15
//! ```
//!
//! so that one address serves four tables, the load's offset selects among them, and a look-up is four instructions:
//! load the code, compute the address, load the entry, add it.
//!
//! Only the 81 bytes without a code 11 are ever read, and only their entries are filled, two tables at a time in the
//! halves of a 32-bit word. For that every entry is [`BIAS`] too large: no half is ever negative, so none borrows from
//! the other. The sums start lower by the same amount.
//!
//! Blocks for 128 columns are filled at a time, then all rows add their part of the sums from them, so that the memory
//! is the same for any width. A row's part is unrolled, and the addresses of its eight blocks stay in registers; with
//! loads that shift their offset, and in a part that is not whole, four rows share the overhead of a step.
//!
//! Instructions per weight on the emulated Xtensa, for rows × columns:
//!
//! ```text
//!                                128 × 128   512 × 128   128 × 512   room
//! decode and add (`generic`)         21.6 over all three              none
//! nibble tables, this layout        3.48        3.41        3.44     2 KB
//! byte tables, one after another    2.25        1.90        2.19    16 KB
//! byte tables, this layout          1.31        1.13        1.34    16 KB
//! ```
//!
//! A nibble costs as much to look up as a byte, plus one instruction to extract it: at best 2.25 per weight. So byte
//! tables are faster from 20 rows on, although a block of them takes 450 instructions to fill and one of nibbles 120.
//! Groups of 5 weights, 243 entries, would save another tenth for 512 rows, but the weights would have to be repacked:
//! 185 KB of SRAM for the `byte` preset.

#[cfg(all(feature = "thumb", not(feature = "mve")))]
use core::arch::asm;
use core::ops::Range;

/// Columns that one block of tables covers.
const BLOCK_COLS: usize = 16;
/// Bytes of weights per block.
const BLOCK_BYTES: usize = BLOCK_COLS / 4;
/// Blocks per unrolled step.
const STEP: usize = 4;

/// Four tables with a sum for every byte of 4 weights, two sums per word.
pub(super) type Block = [[u32; 2]; 256];

/// Blocks in use at once: 16 KB, for 128 columns.
pub(super) const BLOCKS: usize = 8;

/// Bytes of a row's part, which all blocks cover.
const PART_BYTES: usize = BLOCKS * BLOCK_BYTES;

/// Whether rows are added one by one, with the addresses of all blocks in registers. A load that shifts its offset needs
/// the address of every group instead, too many for that: there several rows share each.
const BY_ROW: bool = !cfg!(feature = "thumb");

/// Added to every entry. A sum of four INT8 values is at least -512.
const BIAS: u32 = 512;

/// `y = (weights · q) · scale`. `weights`: rows of `row_bytes` bytes; `q` is padded to a multiple of 16; `sums` has
/// space for one per row.
pub(super) fn matvec(
    weights: &[u8],
    row_bytes: usize,
    q: &[i8],
    scale: f32,
    blocks: &mut [Block],
    sums: &mut [i32],
    y: &mut [f32],
) {
    let bias = -((BIAS as usize * row_bytes) as i32);
    let (columns, _) = q.as_chunks::<BLOCK_COLS>();
    if BY_ROW
        && row_bytes == PART_BYTES
        && let (Some(blocks), (rows, _)) = (blocks.first_chunk_mut(), weights.as_chunks())
    {
        fill_all(blocks, columns);
        return multiply(rows, blocks, bias, scale, y);
    }
    fill_with(sums, bias);
    for (part, columns) in columns.chunks(BLOCKS).enumerate() {
        let blocks = &mut blocks[..columns.len()];
        fill_all(blocks, columns);
        let start = part * PART_BYTES;
        let bytes = (row_bytes - start).min(columns.len() * BLOCK_BYTES);
        if BY_ROW
            && bytes == PART_BYTES
            && let Some(blocks) = blocks.first_chunk()
        {
            add_rows(weights, row_bytes, start, blocks, sums);
            continue;
        }
        let whole = bytes - bytes % (STEP * BLOCK_BYTES);
        let fours = sums.len() - sums.len() % 4;
        add_fours(weights, row_bytes, start, blocks, sums);
        add_rest(
            &weights[..fours * row_bytes],
            row_bytes,
            start + whole..start + bytes,
            &blocks[whole / BLOCK_BYTES..],
            &mut sums[..fours],
        );
        add_rest(&weights[fours * row_bytes..], row_bytes, start..start + bytes, blocks, &mut sums[fours..]);
    }
    scale_into(sums, scale, y);
}

fn fill_with(sums: &mut [i32], value: i32) {
    let (steps, tail) = sums.as_chunks_mut::<8>();
    steps.fill([value; 8]);
    tail.fill(value);
}

/// `y = sums · scale`.
fn scale_into(sums: &[i32], scale: f32, y: &mut [f32]) {
    let (steps, tail) = y.as_chunks_mut::<8>();
    let (sum_steps, sum_tail) = sums.as_chunks::<8>();
    for (y, sums) in steps.iter_mut().zip(sum_steps) {
        for i in 0..8 {
            y[i] = sums[i] as f32 * scale;
        }
    }
    for (y, &sum) in tail.iter_mut().zip(sum_tail) {
        *y = sum as f32 * scale;
    }
}

/// The sum of one part of a row. Unrolled, so that the addresses of all blocks stay in registers from row to row.
#[inline(always)]
fn add_part(codes: &[u8; PART_BYTES], blocks: &[Block; BLOCKS], mut sum: i32) -> i32 {
    for (codes, block) in codes.as_chunks::<BLOCK_BYTES>().0.iter().zip(blocks) {
        for (group, &code) in codes.iter().enumerate() {
            sum += entry(block, code, group);
        }
    }
    sum
}

/// `y` of a matrix whose rows have one part.
#[inline(never)]
fn multiply(rows: &[[u8; PART_BYTES]], blocks: &[Block; BLOCKS], bias: i32, scale: f32, y: &mut [f32]) {
    // Not zipped: the addresses would be computed from one index.
    let mut y = y.iter_mut();
    for codes in rows {
        let Some(y) = y.next() else { break };
        *y = add_part(codes, blocks, bias) as f32 * scale;
    }
}

/// Adds the part of every row that starts at byte `start` to the sums.
#[inline(never)]
fn add_rows(weights: &[u8], row_bytes: usize, start: usize, blocks: &[Block; BLOCKS], sums: &mut [i32]) {
    let mut rest = &weights[start..];
    for sum in sums {
        let Some(codes) = rest.first_chunk() else { break };
        *sum = add_part(codes, blocks, *sum);
        rest = rest.get(row_bytes..).unwrap_or_default();
    }
}

/// Adds the result of the whole steps of `blocks` to the sums, four rows at a time, from byte `start` of each.
#[inline(never)]
fn add_fours(weights: &[u8], row_bytes: usize, start: usize, blocks: &[Block], sums: &mut [i32]) {
    let (steps, _) = blocks.as_chunks::<STEP>();
    let (sums, _) = sums.as_chunks_mut::<4>();
    for (rows, sums) in weights.chunks_exact(4 * row_bytes).zip(sums) {
        let row = |r: usize| rows[r * row_bytes..][start..row_bytes].as_chunks::<{ STEP * BLOCK_BYTES }>().0;
        let [mut s0, mut s1, mut s2, mut s3] = *sums;
        for ((((step, w0), w1), w2), w3) in steps.iter().zip(row(0)).zip(row(1)).zip(row(2)).zip(row(3)) {
            for (b, block) in step.iter().enumerate() {
                for group in 0..BLOCK_BYTES {
                    let i = b * BLOCK_BYTES + group;
                    s0 += entry(block, w0[i], group);
                    s1 += entry(block, w1[i], group);
                    s2 += entry(block, w2[i], group);
                    s3 += entry(block, w3[i], group);
                }
            }
        }
        *sums = [s0, s1, s2, s3];
    }
}

/// Adds the result of some bytes of every row, one by one; `blocks` starts at the first of them.
fn add_rest(weights: &[u8], row_bytes: usize, bytes: Range<usize>, blocks: &[Block], sums: &mut [i32]) {
    if bytes.is_empty() {
        return;
    }
    for (row, sum) in weights.chunks_exact(row_bytes).zip(sums) {
        for (codes, block) in row[bytes.clone()].chunks(BLOCK_BYTES).zip(blocks) {
            for (group, &code) in codes.iter().enumerate() {
                *sum += entry(block, code, group);
            }
        }
    }
}

/// The entry of `group` for a byte of weights.
#[cfg(not(all(feature = "thumb", not(feature = "mve"))))]
#[inline(always)]
fn entry(block: &Block, code: u8, group: usize) -> i32 {
    i32::from((block[usize::from(code)][group / 2] >> (16 * (group % 2))) as u16)
}

/// The same with the load that shifts its offset, which makes the address of the group common to all rows: the compiler
/// prefers an address for every code. With MVE it gathers several entries by one instruction, which takes fewer.
#[cfg(all(feature = "thumb", not(feature = "mve")))]
#[inline(always)]
fn entry(block: &Block, code: u8, group: usize) -> i32 {
    let entries: *const u16 = block.as_ptr().cast();
    let value: u32;
    // SAFETY: reads the entry `BLOCK_BYTES · code + group` of the block's 256 · 4. Words are little-endian.
    unsafe {
        asm!(
            "ldrh {value}, [{entries}, {code}, lsl #3]",
            value = out(reg) value,
            entries = in(reg) entries.wrapping_add(group),
            code = in(reg) u32::from(code),
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    value as i32
}

/// Fills a block for each 16 columns.
fn fill_all(blocks: &mut [Block], columns: &[[i8; BLOCK_COLS]]) {
    for (block, q) in blocks.iter_mut().zip(columns) {
        fill(block, q);
    }
}

/// Fills the entries of the 81 valid bytes: code 0 adds nothing, 1 adds the activation, 2 subtracts it. Not inlined, to
/// have all registers.
#[inline(never)]
fn fill(block: &mut Block, q: &[i8; BLOCK_COLS]) {
    // One column of each of two tables in the halves of a word.
    let both = |i: usize| (q[i] as u32).wrapping_add((q[i + 4] as u32) << 16);
    let halves = [[both(0), both(1), both(2)], [both(8), both(9), both(10)]];
    // The sums for no column but the last, and what the next code of that adds to them.
    let (mut sums, mut steps) = ([BIAS << 16 | BIAS; 2], [both(3), both(11)]);
    let (quarters, _) = block.as_chunks_mut::<64>();
    for third in &mut quarters[..3] {
        for half in 0..2 {
            let [q0, q1, q2] = halves[half];
            let with = |sum: u32, q: u32| [sum, sum.wrapping_add(q), sum.wrapping_sub(q)];
            for (c2, sum) in with(sums[half], q2).into_iter().enumerate() {
                for (c1, sum) in with(sum, q1).into_iter().enumerate() {
                    for (c0, sum) in with(sum, q0).into_iter().enumerate() {
                        third[c2 << 4 | c1 << 2 | c0][half] = sum;
                    }
                }
            }
            sums[half] = sums[half].wrapping_add(steps[half]);
            steps[half] = steps[half].wrapping_mul(2).wrapping_neg();
        }
    }
}
