//! The rows of an INT8 head, laid out for a variant.

use crate::Kernels;
use crate::isa::Isa;
use crate::kernels::same_length;
use alloc::vec;
use alloc::vec::Vec;

#[cfg(target_arch = "wasm32")]
use super::simd128;
#[cfg(target_arch = "x86_64")]
use super::{avx_vnni, avx2, avx512_vnni, ssse3};

/// Rows of a block: four quads.
pub(crate) const ROWS: usize = 16;
/// Sessions whose activations are arranged together, on the stack.
pub(super) const SESSIONS: usize = 16;
/// Rows whose results are looked at together: for as many sessions they stay in the nearest cache.
pub(super) const PIECE: usize = 512;

/// How a variant wants the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Columns of a group.
    pub group: usize,
    /// 128-bit lanes of a vector.
    pub lanes: usize,
    /// Flips the sign bit, where bytes are taken unsigned.
    pub flip: i8,
}

impl Shape {
    /// Columns, and bytes, of a vector.
    pub const fn columns(self) -> usize {
        4 * self.lanes * self.group
    }

    /// Lays out the whole blocks of `rows`, `d` columns each; the columns past the end are of no account.
    pub fn lay_out(self, rows: &[i8], d: usize) -> Vec<Line> {
        let columns = self.columns();
        let block_lines = d.div_ceil(columns) * ROWS * columns / 64;
        let mut lines = vec![Line([0; 64]); rows.len() / d / ROWS * block_lines];
        for (block, rows) in lines.chunks_exact_mut(block_lines).zip(rows.chunks_exact(ROWS * d)) {
            for (r, row) in rows.chunks_exact(d).enumerate() {
                for (i, chunk) in row.chunks(columns).enumerate() {
                    for (l, lane) in chunk.chunks(4 * self.group).enumerate() {
                        for (j, group) in lane.chunks(self.group).enumerate() {
                            let at = ((i * 4 + j) * 4 + r / 4) * columns + (l * 4 + r % 4) * self.group;
                            for (to, &e) in block[at / 64].0[at % 64..].iter_mut().zip(group) {
                                *to = e ^ self.flip;
                            }
                        }
                    }
                }
            }
        }
        lines
    }
}

/// Bytes of laid out rows that start where a line of the cache does.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Line(pub [i8; 64]);

/// What the sessions of one call read. There are `scales.len()` of them.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "wasm32")),
    expect(dead_code, reason = "plain Rust has no blocks")
)]
pub(crate) struct Input<'a> {
    pub rows: Rows<'a>,
    /// Activations, rows of D.
    pub q: &'a [i16],
    pub scales: &'a [f32],
}

/// Laid out rows.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "wasm32")),
    expect(dead_code, reason = "plain Rust has no blocks")
)]
pub(crate) struct Rows<'a> {
    /// Blocks of rows, D columns each.
    pub blocks: &'a [Line],
    /// `‖e‖` of each row; the blocks hold the first of them, as of their scales.
    pub norms: &'a [f32],
    pub scales: &'a [f32],
}

/// The rows of an INT8 head, laid out for one variant, so that one pass over them serves one session or many: a second
/// copy of V × D bytes. Plain Rust gains nothing from one and takes the rows as they are.
#[derive(Debug, Clone)]
pub struct HeadRows<'a> {
    kernels: Kernels,
    rows: &'a [i8],
    d: usize,
    blocks: Vec<Line>,
    /// `‖e‖` of each row.
    norms: Vec<f32>,
}

impl<'a> HeadRows<'a> {
    /// Lays out `rows`, of `d` values each, for `kernels`.
    ///
    /// # Panics
    /// Where `d` is 0, more than [`MAX_N_EMBD`](crate::MAX_N_EMBD), or no divisor of the length of `rows`.
    pub fn new(kernels: Kernels, rows: &'a [i8], d: usize) -> Self {
        assert!((1..=crate::MAX_N_EMBD).contains(&d), "the sums of a head {d} wide do not fit i32");
        assert!(rows.len().is_multiple_of(d), "{} values are no rows of {d}", rows.len());
        let blocks = shape(kernels.isa).map(|shape| shape.lay_out(rows, d)).unwrap_or_default();
        // At most 128² · 1024: exact.
        let square = |e: &i8| i32::from(*e) * i32::from(*e);
        let norm = |row: &[i8]| libm::sqrtf(row.iter().map(square).sum::<i32>() as f32);
        HeadRows { kernels, rows, d, blocks, norms: rows.chunks_exact(d).map(norm).collect() }
    }

    /// `logits_t = (rows · q_t) · (row_scales · scale_t)` for each of as many sessions as there are `scales`: `q` has D
    /// 15-bit values of each, one after the other, `logits` room for V of each. Bit for bit what
    /// [`head_int8`](Kernels::head_int8) gives each alone.
    ///
    /// # Panics
    /// Where the lengths are not these.
    pub fn logits(&self, row_scales: &[f32], q: &[i16], scales: &[f32], logits: &mut [f32]) {
        let (d, v) = (self.d, self.norms.len());
        same_length(v, &[row_scales.len()]);
        same_length(scales.len() * d, &[q.len()]);
        same_length(scales.len() * v, &[logits.len()]);
        if v == 0 || scales.is_empty() {
            return;
        }
        let mut first = 0;
        if !self.blocks.is_empty() {
            let rows = Rows { blocks: &self.blocks, norms: &self.norms, scales: row_scales };
            let input = Input { rows, q, scales };
            match self.kernels.isa {
                Isa::Generic | Isa::Lut => unreachable!("plain Rust has no blocks"),
                #[cfg(target_arch = "x86_64")]
                Isa::Ssse3(isa) => ssse3::int8_many(isa, input, logits),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2(isa) => avx2::int8_many(isa, input, logits),
                #[cfg(target_arch = "x86_64")]
                Isa::AvxVnni(isa) => avx_vnni::int8_many(isa, input, logits),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Vnni(isa) => avx512_vnni::int8_many(isa, input, logits),
                #[cfg(target_arch = "wasm32")]
                Isa::Simd128(isa) => simd128::int8_many(isa, input, logits),
                #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
                Isa::RelaxedSimd(isa) => simd128::int8_many(isa, input, logits),
            }
            first = v - v % ROWS;
        }
        // The rows that are in no block.
        let (rows, row_scales) = (&self.rows[first * d..], &row_scales[first..]);
        for ((q, &scale), logits) in q.chunks_exact(d).zip(scales).zip(logits.chunks_exact_mut(v)) {
            self.kernels.head_int8(rows, row_scales, q, scale, &mut logits[first..]);
        }
    }

    /// Whether this variant has [`bounds`](HeadRows::bounds), and where it has the first row that has none: fewer rows
    /// than a block are left.
    pub(crate) fn bounded_rows(&self) -> Option<usize> {
        match self.kernels.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni(_) | Isa::Avx512Vnni(_) => Some(self.norms.len() - self.norms.len() % ROWS),
            _ => None,
        }
    }

    /// Calls `each(t, first, bounds)` with a number for each logit of session `t`, from that of row `first` on, that it
    /// cannot exceed, as long as no row's scale, and no session's, is negative or makes a factor that is not finite: see
    /// `first_digit`. It takes half the time of the logits. Rows come in order, [`PIECE`] at a time, up to
    /// those of [`bounded_rows`](HeadRows::bounded_rows), for [`SESSIONS`] at most.
    pub(crate) fn bounds(
        &self,
        row_scales: &[f32],
        q: &[i16],
        scales: &[f32],
        each: &mut dyn FnMut(usize, usize, &mut [f32]),
    ) {
        let rows = Rows { blocks: &self.blocks, norms: &self.norms, scales: row_scales };
        let input = Input { rows, q, scales };
        match self.kernels.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni(isa) => avx_vnni::bounds_many(isa, input, each),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni(isa) => avx512_vnni::bounds_many(isa, input, each),
            _ => {
                // Used, where a variant has bounds.
                let _ = (input, each);
                unreachable!("the caller asks for the bounded rows first")
            }
        }
    }
}

/// What the instruction set's kernel wants.
fn shape(isa: Isa) -> Option<Shape> {
    match isa {
        Isa::Generic | Isa::Lut => None,
        #[cfg(target_arch = "x86_64")]
        Isa::Ssse3(_) => Some(ssse3::SHAPE),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => Some(avx2::SHAPE),
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni(_) => Some(avx_vnni::SHAPE),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => Some(avx512_vnni::SHAPE),
        #[cfg(target_arch = "wasm32")]
        Isa::Simd128(_) => Some(simd128::SHAPE),
        #[cfg(all(target_arch = "wasm32", feature = "relaxed_simd"))]
        Isa::RelaxedSimd(_) => Some(simd128::SHAPE),
    }
}
