//! The block layout of the SIMD variants; the parent module draws it.

use alloc::borrow::Cow;
use alloc::vec;

/// Rows in a block.
pub(super) const ROWS: usize = 64;
/// Bit pairs in a byte: each is 16 rows further down.
pub(super) const PLANES: usize = 4;
/// Rows of a plane, one per 32 bits of a block.
const LANES: usize = ROWS / PLANES;

/// 64 rows × 4 columns of codes `weight + 1`.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Block(pub [u8; 64]);

/// A matrix in blocks, row group by row group, each from its first columns to its last; or some of its row groups.
#[derive(Debug, Clone)]
pub(super) struct Blocks<'a> {
    blocks: Cow<'a, [Block]>,
    per_row_group: usize,
}

impl Blocks<'_> {
    /// From rows of `ceil(cols / 4)` bytes.
    pub fn new(rows: usize, cols: usize, weights: &[u8]) -> Blocks<'static> {
        let per_row_group = cols.div_ceil(4);
        let mut blocks = vec![Block([0; 64]); rows.div_ceil(ROWS) * per_row_group];
        // A missing row has weights of 0.
        let missing = vec![0; per_row_group];
        for (group, blocks) in blocks.chunks_exact_mut(per_row_group).enumerate() {
            let row = |row| weights.chunks_exact(per_row_group).nth(group * ROWS + row).unwrap_or(&missing);
            for lane in 0..LANES {
                let planes = [0, 1, 2, 3].map(|plane| row(LANES * plane + lane));
                lay_out(planes, blocks, lane);
            }
        }
        Blocks { blocks: Cow::Owned(blocks), per_row_group }
    }

    /// The same with the highest bit of each byte flipped, for a variant that takes codes as signed bytes.
    #[cfg(target_arch = "aarch64")]
    pub fn signed(mut self) -> Self {
        for block in self.blocks.to_mut() {
            for byte in &mut block.0 {
                *byte ^= 0x80;
            }
        }
        self
    }

    /// The row groups with `rows` rows starting at row `first`, which starts a row group.
    pub fn part(&self, first: usize, rows: usize) -> Blocks<'_> {
        let groups = &self.blocks[first / ROWS * self.per_row_group..][..rows.div_ceil(ROWS) * self.per_row_group];
        Blocks { blocks: Cow::Borrowed(groups), per_row_group: self.per_row_group }
    }

    /// Blocks in a row group, four columns each.
    pub fn per_row_group(&self) -> usize {
        self.per_row_group
    }

    /// The number of vectors side by side in all row groups, with `PER_BLOCK` vectors per block.
    #[inline(always)]
    pub fn vectors<const PER_BLOCK: usize>(&self) -> usize {
        self.blocks.len() / self.per_row_group * PER_BLOCK
    }

    /// The blocks of the row group that contains vector `v`.
    #[inline(always)]
    pub fn of_vector<const PER_BLOCK: usize>(&self, v: usize) -> &[Block] {
        &self.blocks[v / PER_BLOCK * self.per_row_group..][..self.per_row_group]
    }
}

/// The first row of plane `plane` in vector `v`, with `PER_BLOCK` vectors per block.
#[inline(always)]
pub(super) fn first_row<const PER_BLOCK: usize>(v: usize, plane: usize) -> usize {
    v / PER_BLOCK * ROWS + plane * LANES + v % PER_BLOCK * (LANES / PER_BLOCK)
}

/// The outputs of plane `plane` in vector `v` that are in `y`; may be empty.
#[inline(always)]
pub(super) fn rows_of<const PER_BLOCK: usize>(v: usize, plane: usize, y: &mut [f32]) -> &mut [f32] {
    let rest = y.get_mut(first_row::<PER_BLOCK>(v, plane)..).unwrap_or_default();
    let rows = rest.len().min(LANES / PER_BLOCK);
    &mut rest[..rows]
}

/// The initial value of a sum, because the codes are `weight + 1`.
#[inline(always)]
pub(super) fn surplus(q: &[i8]) -> i32 {
    -q.iter().map(|&q| i32::from(q)).sum::<i32>()
}

/// Four activations as 32 bits, to be multiplied with the four bytes of a row.
#[inline(always)]
pub(super) fn dword(q: [i8; 4]) -> i32 {
    i32::from_le_bytes([q[0] as u8, q[1] as u8, q[2] as u8, q[3] as u8])
}

/// Writes lane `lane` of a row group's blocks, from the rows of its four planes.
fn lay_out(planes: [&[u8]; PLANES], blocks: &mut [Block], lane: usize) {
    // Through a buffer, because the compiler vectorises adjacent stores.
    const PIECE: usize = 64;
    let mut words = [0; PIECE];
    for (i, blocks) in blocks.chunks_mut(PIECE).enumerate() {
        let words = &mut words[..blocks.len()];
        let [a, b, c, d] = planes.map(|row| &row[i * PIECE..][..words.len()]);
        for ((((word, &a), &b), &c), &d) in words.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *word = transpose(unsigned_codes(u32::from_le_bytes([a, b, c, d])));
        }
        for (block, word) in blocks.iter_mut().zip(words) {
            block.0.as_chunks_mut::<4>().0[lane] = word.to_le_bytes();
        }
    }
}

/// Sixteen file codes (0 = 0, 1 = +1, 2 = -1) as `weight + 1`: 0 → 1, 1 → 2, 2 → 0.
fn unsigned_codes(word: u32) -> u32 {
    const LOW: u32 = 0x5555_5555;
    let (low, high) = (word & LOW, (word >> 1) & LOW);
    low << 1 | (LOW & !(low | high))
}

/// Byte p contains the four columns of a row in plane p; a block has column c of all planes in byte c. That is a 4 × 4
/// transposition of bit pairs: swap off-diagonal pairs, then off-diagonal 2 × 2 squares.
fn transpose(word: u32) -> u32 {
    let swap = |word: u32, mask: u32, shift: u32| {
        let t = (word ^ (word >> shift)) & mask;
        word ^ t ^ (t << shift)
    };
    // Element (byte p, pair c) is at bit 8p + 2c: one off the diagonal is 6 bits from its partner, two off is 12.
    let word = swap(word, 0x00cc_00cc, 6);
    swap(word, 0x0000_f0f0, 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes_and_recodes() {
        for p in 0..4 {
            for c in 0..4 {
                assert_eq!(transpose(1 << (8 * p + 2 * c)), 1 << (8 * c + 2 * p), "byte {p}, pair {c}");
            }
        }
        assert_eq!(unsigned_codes(0b10_01_00), 0x5555_5540 | 0b00_10_01);
    }
}
