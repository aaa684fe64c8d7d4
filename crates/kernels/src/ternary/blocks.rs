//! The block layout of the SIMD variants; the parent module draws it.

use alloc::borrow::Cow;
use alloc::vec;

/// 16 rows × 16 columns of codes `weight + 1`.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Block(pub [u8; 64]);

/// A matrix in blocks, row group after row group, each from its first columns to its last; or some of its row groups.
#[derive(Debug, Clone)]
pub(super) struct Blocks<'a> {
    blocks: Cow<'a, [Block]>,
    per_row_group: usize,
}

impl Blocks<'_> {
    /// From rows of `ceil(cols / 4)` bytes.
    pub fn new(rows: usize, cols: usize, weights: &[u8]) -> Blocks<'static> {
        let per_row_group = cols.div_ceil(16);
        // Weights of 0 everywhere: every code 1.
        let mut blocks = vec![Block([0b01_01_01_01; 64]); rows.div_ceil(16) * per_row_group];
        let row_bytes = cols.div_ceil(4);
        for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
            let group = &mut blocks[r / 16 * per_row_group..][..per_row_group];
            for (block, four) in group.iter_mut().zip(row.chunks(4)) {
                let mut word = [0; 4];
                word[..four.len()].copy_from_slice(four);
                let codes = transpose(unsigned_codes(u32::from_le_bytes(word)));
                block.0[r % 16 * 4..][..4].copy_from_slice(&codes.to_le_bytes());
            }
        }
        Blocks { blocks: Cow::Owned(blocks), per_row_group }
    }

    /// The row groups that hold `rows` rows from row `first` on, which starts a row group.
    pub fn part(&self, first: usize, rows: usize) -> Blocks<'_> {
        let groups = &self.blocks[first / 16 * self.per_row_group..][..rows.div_ceil(16) * self.per_row_group];
        Blocks { blocks: Cow::Borrowed(groups), per_row_group: self.per_row_group }
    }

    /// Blocks in a row group.
    pub fn per_row_group(&self) -> usize {
        self.per_row_group
    }

    /// The blocks of each `groups` row groups together, then the row groups that are left, one by one.
    pub fn passes(&self, groups: usize) -> (impl ExactSizeIterator<Item = &[Block]>, impl Iterator<Item = &[Block]>) {
        let whole = self.blocks.chunks_exact(groups * self.per_row_group);
        let rest = whole.remainder().chunks_exact(self.per_row_group);
        (whole, rest)
    }
}

/// Four activations as the 32 bits that meet the four bytes of a row.
#[inline(always)]
pub(super) fn dword(q: [i8; 4]) -> i32 {
    i32::from_le_bytes([q[0] as u8, q[1] as u8, q[2] as u8, q[3] as u8])
}

/// Sixteen file codes (0 = 0, 1 = +1, 2 = -1) as `weight + 1`: 0 → 1, 1 → 2, 2 → 0.
fn unsigned_codes(word: u32) -> u32 {
    const LOW: u32 = 0x5555_5555;
    let (low, high) = (word & LOW, (word >> 1) & LOW);
    low << 1 | (LOW & !(low | high))
}

/// The file has columns 4p … 4p + 3 in byte p; a block has column 4p + c in byte c, bit pair p. That is a 4 × 4
/// transposition of bit pairs, done by swapping off-diagonal pairs, then off-diagonal 2 × 2 squares.
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
