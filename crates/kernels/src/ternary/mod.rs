//! Ternary matrix × INT8 vector, `y_o = (Σ_i W_oi · q_i) · scale`, exact in i32 before the one multiplication.
//!
//! A matrix is laid out once, for the variant that runs it:
//!
//! **Rows**, for `generic` and `lut`: four weights per byte along a row, each row starting on a byte. That is how the
//! file packs a matrix whose width is a multiple of 4, so such a matrix is borrowed, not copied.
//!
//! **Blocks**, for SIMD: a block of 64 bytes holds 64 rows × 4 columns. Byte `4r + c` holds column `c` of the rows `r`,
//! `r + 16`, `r + 32`, `r + 48` in its bit pairs 0 to 3:
//!
//! ```text
//!            byte 0      1          2          3          4          …    63
//!            row 0                                        row 1           row 15
//! bits 0-1   column 0    column 1   column 2   column 3   column 0   …    column 3
//!            row 16                                       row 17          row 31
//! bits 2-3   column 0    column 1   column 2   column 3   column 0   …    column 3
//! bits 4-5   rows 32 to 47
//! bits 6-7   rows 48 to 63
//! ```
//!
//! So each 32-bit lane has four columns of a row in every plane of bit pairs, one broadcast of four activations serves
//! all 64 rows, and no sum across lanes is needed. The codes are `weight + 1`, unsigned; the resulting surplus, `Σ q_i`
//! for every row, is removed by starting each sum at `-Σ q_i`. Rows are padded to a multiple of 64, columns to a
//! multiple of 4, with weights and activations of 0.

use crate::isa::Isa;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
use crate::isa::dispatch;
use crate::kernels::{Kernels, same_length};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
use crate::ternary;
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
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", feature = "simd128")),
    allow(dead_code, reason = "the layout is everyone's, the walk over its vectors is not")
)]
mod blocks;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod dpbusd;
mod generic;
mod lut;
#[cfg(target_arch = "x86_64")]
mod maddubs;
#[cfg(all(target_arch = "arm", feature = "mve"))]
mod mve;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
#[cfg(target_arch = "aarch64")]
mod neon_i8mm;
#[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
mod relaxed_simd;
#[cfg(target_arch = "riscv64")]
mod rvv;
#[cfg(all(target_arch = "wasm32", feature = "simd128"))]
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
    #[cfg_attr(
        not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128")),
        allow(dead_code, reason = "plain Rust takes rows")
    )]
    Blocks(Blocks<'static>),
}

impl<'a> TernaryMatrix<'a> {
    /// A part of the rows, for [`matvec_part`](Self::matvec_part), starts at a multiple of this many.
    pub const SPLIT: usize = blocks::ROWS;

    /// Lays `matrix` out for `kernels`.
    pub fn new(kernels: Kernels, matrix: Matrix<'a>) -> Self {
        let layout = match kernels.isa {
            Isa::Generic | Isa::Lut => Layout::Rows(byte_rows(matrix)),
            #[cfg(all(target_arch = "arm", feature = "mve"))]
            Isa::Mve(_) => Layout::Rows(byte_rows(matrix)),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDotprod(_) => Layout::Blocks(Blocks::new(matrix.rows, matrix.cols, &byte_rows(matrix)).signed()),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
            _ => Layout::Blocks(Blocks::new(matrix.rows, matrix.cols, &byte_rows(matrix))),
        };
        TernaryMatrix { rows: matrix.rows, cols: matrix.cols, layout }
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes of the weights, if [`matvec_part`](Self::matvec_part) can take the rows in parts: in the layout of the
    /// SIMD variants.
    pub fn divisible_bytes(&self) -> Option<usize> {
        matches!(self.layout, Layout::Blocks(_)).then(|| self.rows * self.cols.div_ceil(4))
    }

    /// Bytes of the weights that are borrowed from the file.
    pub fn borrowed_bytes(&self) -> usize {
        match &self.layout {
            Layout::Rows(Cow::Borrowed(bytes)) => bytes.len(),
            _ => 0,
        }
    }

    /// Copies the weights if they are borrowed, for a heap in faster memory than the file.
    pub fn own(&mut self) {
        if let Layout::Rows(bytes) = &mut self.layout {
            bytes.to_mut();
        }
    }

    /// `y.len()` outputs starting at `first`, of [`matmul`](Self::matmul) for one row of `x`; `first` is a multiple of
    /// [`SPLIT`](Self::SPLIT).
    ///
    /// # Panics
    /// If the rows cannot be taken in these parts, or the shape of `x` is not the matrix's.
    #[cfg_attr(
        not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128")),
        allow(unused_variables, reason = "rows are not taken in parts")
    )]
    pub fn matvec_part(&self, first: usize, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
        same_length(self.cols, &[x.len]);
        same_length(1, &[x.rows()]);
        let last = first + y.len();
        assert!(
            first.is_multiple_of(Self::SPLIT) && last <= self.rows,
            "{first} to {last} is not part of {} rows",
            self.rows
        );
        match &self.layout {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
            Layout::Blocks(blocks) => multiply(&blocks.part(first, y.len()), x, scale, y),
            _ => panic!("rows in this layout cannot be taken in parts"),
        }
    }

    /// `y_t = (W · q_t) · (scale · a_t)` for every row `t` of `x`; `y` has as many rows of [`rows`](Self::rows) values.
    /// The result for many rows is bit for bit that of each alone, but the weights are unpacked only once.
    ///
    /// # Panics
    /// If the shapes of `x` or `y` are not the matrix's, or `x` was made for kernels of another layout.
    pub fn matmul(&self, x: &QuantisedRows, scale: f32, scratch: &mut MatmulScratch, y: &mut [f32]) {
        same_length(self.cols, &[x.len]);
        same_length(self.rows * x.rows(), &[y.len()]);
        match (&self.layout, x.kernels.isa) {
            (Layout::Rows(weights), Isa::Generic) => {
                for (t, y) in y.chunks_exact_mut(self.rows).enumerate() {
                    generic::matvec(weights, x.q(t), scale * x.scale(t), y);
                }
            }
            (Layout::Rows(weights), Isa::Lut) => {
                for (t, y) in y.chunks_exact_mut(self.rows).enumerate() {
                    let (row_bytes, scale) = (self.cols.div_ceil(4), scale * x.scale(t));
                    let sums = &mut scratch.sums[..self.rows];
                    lut::matvec(weights, row_bytes, x.padded(t), scale, &mut scratch.tables, sums, y);
                }
            }
            #[cfg(all(target_arch = "arm", feature = "mve"))]
            (Layout::Rows(weights), Isa::Mve(isa)) => {
                for (t, y) in y.chunks_exact_mut(self.rows).enumerate() {
                    let (row_bytes, scale) = (self.cols.div_ceil(4), scale * x.scale(t));
                    let sums = &mut scratch.sums[..self.rows];
                    mve::matvec(isa, weights, row_bytes, x.padded(t), scale, &mut scratch.planes, sums, y);
                }
            }
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
            (Layout::Blocks(blocks), _) => multiply(blocks, x, scale, y),
            _ => panic!("a matrix and an input made for kernels of different layouts"),
        }
    }
}

/// The product of a matrix in blocks, or of some of its row groups.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
fn multiply(blocks: &Blocks<'_>, x: &QuantisedRows, scale: f32, y: &mut [f32]) {
    dispatch!(x.kernels.isa, ternary::matmul(blocks, x, scale, y), else panic!("plain Rust has no blocks"));
}

/// The weights in rows of whole bytes: borrowed if the file has them in this form, else repacked.
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

/// Rows of activations as INT8, each with its scale: the input of a matrix for one token or for many. Created once for
/// the widest matrix and the most rows, and refilled for each.
#[derive(Debug, Clone)]
pub struct QuantisedRows {
    kernels: Kernels,
    /// Values in a row.
    len: usize,
    /// Distance from one row's first value to the next one's.
    stride: usize,
    /// Rows in use.
    rows: usize,
    /// One per row of the capacity.
    scales: Vec<f32>,
    /// For every row the INT8 values, then zeros up to a multiple of 16.
    values: Vec<i8>,
}

impl QuantisedRows {
    /// Space for `max_rows` rows of up to `max_cols` values.
    pub fn new(kernels: Kernels, max_cols: usize, max_rows: usize) -> Self {
        let stride = max_cols.next_multiple_of(16);
        QuantisedRows {
            kernels,
            len: 0,
            stride,
            rows: 0,
            scales: vec![0.0; max_rows],
            values: vec![0; stride * max_rows],
        }
    }

    /// Empties it, for rows of `len` values.
    ///
    /// # Panics
    /// If `len` exceeds the capacity.
    pub fn clear(&mut self, len: usize) {
        assert!(len <= self.stride, "{len} values in rows with room for {}", self.stride);
        self.len = len;
        self.rows = 0;
    }

    /// Adds the row of `y`, quantised: scale `a = max(2.5 · mean|y|, 1e-8) / 127`, values `round(y / a)` within ±127.
    ///
    /// # Panics
    /// If `y` does not have the length of a row, or the capacity is exhausted.
    pub fn push(&mut self, y: &[f32]) {
        let kernels = self.kernels;
        let scale = kernels.quantise_int8(y, self.next_row(y.len()));
        self.set_scale(scale);
    }

    /// Adds a row of given INT8 values.
    ///
    /// # Panics
    /// As [`push`](Self::push).
    pub fn push_int8(&mut self, q: &[i8], scale: f32) {
        self.next_row(q.len()).copy_from_slice(q);
        self.set_scale(scale);
    }

    /// Adds a row of `len` values for the caller to write; its scale is set afterwards.
    #[track_caller]
    pub(crate) fn next_row(&mut self, len: usize) -> &mut [i8] {
        same_length(self.len, &[len]);
        assert!(self.rows < self.scales.len(), "there is no room for another row");
        let row = &mut self.values[self.rows * self.stride..][..self.stride];
        let (values, padding) = row.split_at_mut(len);
        if !len.is_multiple_of(16) {
            padding[..len.next_multiple_of(16) - len].fill(0);
        }
        self.rows += 1;
        values
    }

    /// Sets the scale of the last row.
    pub(crate) fn set_scale(&mut self, scale: f32) {
        self.scales[self.rows - 1] = scale;
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The INT8 values of a row.
    pub fn q(&self, row: usize) -> &[i8] {
        &self.padded(row)[..self.len]
    }

    /// The scale of a row's INT8 values.
    pub fn scale(&self, row: usize) -> f32 {
        self.scales[row]
    }

    /// The values of a row, padded with 0 to a multiple of 16.
    pub(crate) fn padded(&self, row: usize) -> &[i8] {
        &self.values[row * self.stride..][..self.len.next_multiple_of(16)]
    }

    /// The same, four by four.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", feature = "simd128"))]
    #[inline(always)]
    fn quads(&self, row: usize) -> &[[i8; 4]] {
        self.padded(row).as_chunks().0
    }
}

/// Work buffers for a variant's multiplication.
#[derive(Debug, Clone)]
pub struct MatmulScratch {
    /// Look-up tables, only for `lut`.
    tables: Vec<lut::Block>,
    /// A sum for every output, only for `lut` and `mve`.
    sums: Vec<i32>,
    /// Rearranged activations.
    #[cfg(all(target_arch = "arm", feature = "mve"))]
    planes: [mve::Planes; mve::PLANES],
}

impl MatmulScratch {
    /// Buffers for matrices of up to `max_rows` rows.
    pub fn new(kernels: Kernels, max_rows: usize) -> Self {
        let tables = if matches!(kernels.isa, Isa::Lut) { lut::BLOCKS } else { 0 };
        let sums = match kernels.isa {
            Isa::Lut => max_rows,
            #[cfg(all(target_arch = "arm", feature = "mve"))]
            Isa::Mve(_) => max_rows,
            _ => 0,
        };
        MatmulScratch {
            tables: vec![[[0; 2]; 256]; tables],
            sums: vec![0; sums],
            #[cfg(all(target_arch = "arm", feature = "mve"))]
            planes: [[[0; 16]; 4]; mve::PLANES],
        }
    }
}
