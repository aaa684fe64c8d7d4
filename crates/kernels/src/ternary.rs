//! Ternary matrix × INT8 vector, `y_o = (Σ_i W_oi · q_i) · scale`, exact in i32 before the one multiplication.
//!
//! A matrix is laid out once, for the variant that will run it:
//!
//! **Rows**, for `generic` and `lut`: four weights a byte along a row, each row starting on a byte. That is how the
//! file packs a matrix whose width is a multiple of 4, so such a matrix is borrowed, not copied.
//!
//! **Blocks**, for SIMD: a block of 64 bytes holds 16 rows × 16 columns. Row `r` has bytes `4r .. 4r + 4`, and byte
//! `4r + c` holds columns `c`, `c + 4`, `c + 8`, `c + 12` in its bit pairs 0 to 3:
//!
//! ```text
//!            byte 4r+0      4r+1      4r+2      4r+3
//! bits 0-1   column 0       1         2         3       × activations 0- 3, broadcast
//! bits 2-3          4       5         6         7       ×             4- 7
//! bits 4-5          8       9        10        11       ×             8-11
//! bits 6-7         12      13        14        15       ×            12-15
//! ```
//!
//! So a shift and a mask give 4 columns of 16 rows, one row in each 32-bit lane, and no sum across lanes is needed.
//! The codes are `weight + 1`, unsigned; what that adds, `Σ q_i` for every row, is taken off by starting each sum
//! at `-Σ q_i`. Rows and columns are padded to multiples of 16 with weights and activations of 0.

use crate::Kernels;
use crate::isa::Isa;
use crate::kernels::same_length;
use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use bitstate_model::{Matrix, MatrixData};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod blocks;
#[cfg(target_arch = "x86_64")]
mod dpbusd;
mod generic;
mod lut;
#[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
mod maddubs;
#[cfg(target_arch = "wasm32")]
mod relaxed_simd;
#[cfg(target_arch = "wasm32")]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod ssse3;

use blocks::Blocks;

/// A ternary matrix laid out for one variant.
#[derive(Debug, Clone)]
pub struct TernaryMatrix<'a> {
    rows: usize,
    cols: usize,
    layout: Layout<'a>,
}

#[derive(Debug, Clone)]
enum Layout<'a> {
    Rows(Cow<'a, [u8]>),
    Blocks(Blocks),
}

impl<'a> TernaryMatrix<'a> {
    /// Lays `matrix` out for `kernels`.
    pub fn new(kernels: Kernels, matrix: Matrix<'a>) -> Self {
        let layout = match kernels.isa {
            Isa::Generic | Isa::Lut => Layout::Rows(byte_rows(matrix)),
            #[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
            _ => Layout::Blocks(Blocks::new(matrix.rows, matrix.cols, &byte_rows(matrix))),
        };
        TernaryMatrix { rows: matrix.rows, cols: matrix.cols, layout }
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// `y = (W · x.q) · (scale · x.scale)`.
    ///
    /// # Panics
    /// Where the shapes of `x` or `y` are not the matrix's, or `x` was made for kernels of another layout.
    pub fn matvec(&self, x: &mut QuantisedInput, scale: f32, y: &mut [f32]) {
        same_length(self.cols, &[x.len]);
        same_length(self.rows, &[y.len()]);
        let scale = scale * x.scale;
        match (&self.layout, x.kernels.isa) {
            (Layout::Rows(weights), Isa::Generic) => generic::matvec(weights, x.q(), scale, y),
            (Layout::Rows(weights), Isa::Lut) => {
                let QuantisedInput { padded, sums, tables, .. } = x;
                lut::matvec(weights, &padded[..self.cols.next_multiple_of(4)], tables, &mut sums[..self.rows]);
                for (y, &sum) in y.iter_mut().zip(sums.iter()) {
                    *y = sum as f32 * scale;
                }
            }
            #[cfg(target_arch = "x86_64")]
            (Layout::Blocks(blocks), Isa::Ssse3(isa)) => ssse3::matvec(isa, blocks, x.padded(), scale, y),
            #[cfg(target_arch = "x86_64")]
            (Layout::Blocks(blocks), Isa::Avx2(isa)) => avx2::matvec(isa, blocks, x.padded(), scale, y),
            #[cfg(target_arch = "x86_64")]
            (Layout::Blocks(blocks), Isa::AvxVnni(isa)) => avx_vnni::matvec(isa, blocks, x.padded(), scale, y),
            #[cfg(target_arch = "x86_64")]
            (Layout::Blocks(blocks), Isa::Avx512Vnni(isa)) => avx512_vnni::matvec(isa, blocks, x.padded(), scale, y),
            #[cfg(target_arch = "wasm32")]
            (Layout::Blocks(blocks), Isa::Simd128(isa)) => simd128::matvec(isa, blocks, x.padded(), scale, y),
            #[cfg(target_arch = "wasm32")]
            (Layout::Blocks(blocks), Isa::RelaxedSimd(isa)) => relaxed_simd::matvec(isa, blocks, x.padded(), scale, y),
            _ => panic!("a matrix and an input made for kernels of different layouts"),
        }
    }
}

/// The weights in rows of whole bytes: borrowed where the file has them so, else packed anew.
fn byte_rows(matrix: Matrix<'_>) -> Cow<'_, [u8]> {
    if let MatrixData::Packed(bytes) = matrix.data
        && matrix.cols.is_multiple_of(4)
    {
        return Cow::Borrowed(bytes);
    }
    let row_bytes = matrix.cols.div_ceil(4);
    let mut bytes = vec![0u8; matrix.rows * row_bytes];
    for (r, row) in bytes.chunks_exact_mut(row_bytes).enumerate() {
        for c in 0..matrix.cols {
            let code = match matrix.get(r, c) {
                0 => 0,
                1 => 1,
                _ => 2,
            };
            row[c / 4] |= code << (2 * (c % 4));
        }
    }
    Cow::Owned(bytes)
}

/// An activation vector as INT8 with its scale, and the room that a variant needs beside it. Made once for the
/// widest matrix and filled again for each.
#[derive(Debug, Clone)]
pub struct QuantisedInput {
    kernels: Kernels,
    len: usize,
    scale: f32,
    /// The INT8 values, then zeros up to a multiple of 16.
    padded: Vec<i8>,
    /// Look-up tables, for `lut` alone.
    tables: Vec<lut::Table>,
    /// A sum for every row, for `lut` alone.
    sums: Vec<i32>,
}

impl QuantisedInput {
    /// Room for vectors of up to `max_cols` values and matrices of up to `max_rows` rows.
    pub fn new(kernels: Kernels, max_cols: usize, max_rows: usize) -> Self {
        let for_lut = |n: usize| if matches!(kernels.isa, Isa::Lut) { n } else { 0 };
        QuantisedInput {
            kernels,
            len: 0,
            scale: 0.0,
            padded: vec![0; max_cols.next_multiple_of(16)],
            tables: vec![[0; 256]; for_lut(lut::TABLES)],
            sums: vec![0; for_lut(max_rows)],
        }
    }

    /// Quantises `y`: scale `a = max(2.5 · mean|y|, 1e-8) / 127`, values `round(y / a)` within ±127.
    ///
    /// # Panics
    /// Where `y` is longer than the room.
    pub fn quantise(&mut self, y: &[f32]) {
        self.len = y.len();
        self.scale = self.kernels.quantise_int8(y, &mut self.padded[..y.len()]);
        self.pad();
    }

    /// Takes INT8 values as they are.
    ///
    /// # Panics
    /// Where there are more of them than the room holds.
    pub fn set(&mut self, q: &[i8], scale: f32) {
        self.len = q.len();
        self.scale = scale;
        self.padded[..q.len()].copy_from_slice(q);
        self.pad();
    }

    fn pad(&mut self) {
        self.padded[self.len..self.len.next_multiple_of(16)].fill(0);
    }

    /// The INT8 values.
    pub fn q(&self) -> &[i8] {
        &self.padded[..self.len]
    }

    /// What one unit of an INT8 value is worth.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
    fn padded(&self) -> &[i8] {
        &self.padded[..self.len.next_multiple_of(16)]
    }
}
