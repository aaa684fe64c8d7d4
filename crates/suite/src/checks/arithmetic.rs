//! What is checked: the steps of the canonical arithmetic, and the kernels of a variant as one implementation.

use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{
    GatedInput, HeadRows, Kernels, MatmulScratch, MixInput, NormInput, QuantisedRows, TernaryMatrix, WkvInput,
};
use bitstate_model::Matrix;

/// INT8 values, and the scale of one unit.
pub type Quantised = (Vec<i8>, f32);

/// The steps of the canonical arithmetic.
#[allow(missing_docs, reason = "the names are the definition's")]
pub trait Arithmetic {
    fn exp(&mut self, x: &mut [f32]);
    fn layer_norm(&mut self, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]);
    fn mix(&mut self, z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]);
    fn quantise_int8(&mut self, y: &[f32]) -> Quantised;
    /// The 15-bit values, then the scale.
    fn quantise_15bit(&mut self, z: &[f32]) -> (Vec<i16>, f32);
    fn wkv(&mut self, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]);
    fn silu_gate(&mut self, o: &mut [f32], g: &[f32]);
    fn sigmoid_gate_add(&mut self, x: &mut [f32], r: &[f32], v: &[f32]);
    fn relu_squared(&mut self, k: &mut [f32]);
    fn mix_inputs<const N: usize>(&mut self, z: &[f32], p: &[f32], mixes: [MixInput<'_>; N]) -> [Quantised; N];
    fn gated_input(&mut self, gated: GatedInput<'_>, y: &mut [f32]) -> Quantised;
    fn relu_squared_input(&mut self, k: &[f32], norm: NormInput<'_>) -> Quantised;
    /// `(W · q) · scale` for each row of `q`.
    fn ternary(&mut self, matrix: Matrix<'_>, q: &[i8], scale: f32, y: &mut [f32]);
    fn head_int8(&mut self, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]);
    /// The same for as many sessions as there are `scales`: `q` and `logits` are concatenated.
    fn head_many(&mut self, rows: &[i8], row_scales: &[f32], q: &[i16], scales: &[f32], logits: &mut [f32]);
    /// `rows` are little-endian f32.
    fn head_f32(&mut self, rows: &[u8], z: &[f32], logits: &mut [f32]);
}

impl Arithmetic for Kernels {
    fn exp(&mut self, x: &mut [f32]) {
        Kernels::exp(self, x);
    }

    fn layer_norm(&mut self, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
        Kernels::layer_norm(self, x, weight, bias, out);
    }

    fn mix(&mut self, z: &[f32], p: &[f32], mu: &[f32], out: &mut [f32]) {
        Kernels::mix(self, z, p, mu, out);
    }

    fn quantise_int8(&mut self, y: &[f32]) -> Quantised {
        let mut rows = no_rows(*self, y.len());
        rows.push(y);
        first_row(&rows)
    }

    fn quantise_15bit(&mut self, z: &[f32]) -> (Vec<i16>, f32) {
        let mut q = vec![0; z.len()];
        let scale = Kernels::quantise_15bit(self, z, &mut q);
        (q, scale)
    }

    fn wkv(&mut self, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
        Kernels::wkv(self, y.len(), input, state, y);
    }

    fn silu_gate(&mut self, o: &mut [f32], g: &[f32]) {
        Kernels::silu_gate(self, o, g);
    }

    fn sigmoid_gate_add(&mut self, x: &mut [f32], r: &[f32], v: &[f32]) {
        Kernels::sigmoid_gate_add(self, x, r, v);
    }

    fn relu_squared(&mut self, k: &mut [f32]) {
        Kernels::relu_squared(self, k);
    }

    fn mix_inputs<const N: usize>(&mut self, z: &[f32], p: &[f32], mixes: [MixInput<'_>; N]) -> [Quantised; N] {
        let mut inputs: [_; N] = core::array::from_fn(|_| no_rows(*self, z.len()));
        let mut room = vec![0.0; N * z.len().next_multiple_of(16)];
        Kernels::mix_inputs(self, z, p, mixes, &mut room, inputs.each_mut());
        inputs.map(|input| first_row(&input))
    }

    fn gated_input(&mut self, gated: GatedInput<'_>, y: &mut [f32]) -> Quantised {
        let (mut input, mut room) = (no_rows(*self, y.len()), vec![0.0; y.len().next_multiple_of(16)]);
        Kernels::gated_input(self, gated, y, &mut room, &mut input);
        first_row(&input)
    }

    fn relu_squared_input(&mut self, k: &[f32], norm: NormInput<'_>) -> Quantised {
        let (mut input, mut room) = (no_rows(*self, k.len()), vec![0.0; k.len().next_multiple_of(16)]);
        Kernels::relu_squared_input(self, k, norm, &mut room, &mut input);
        first_row(&input)
    }

    fn ternary(&mut self, matrix: Matrix<'_>, q: &[i8], scale: f32, y: &mut [f32]) {
        let mut rows = QuantisedRows::new(*self, matrix.cols, y.len() / matrix.rows);
        rows.clear(matrix.cols);
        for q in q.chunks_exact(matrix.cols) {
            rows.push_int8(q, 1.0);
        }
        let mut scratch = MatmulScratch::new(*self, matrix.rows);
        TernaryMatrix::new(*self, matrix).matmul(&rows, scale, &mut scratch, y);
    }

    fn head_int8(&mut self, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        Kernels::head_int8(self, rows, row_scales, q, scale, logits);
    }

    fn head_many(&mut self, rows: &[i8], row_scales: &[f32], q: &[i16], scales: &[f32], logits: &mut [f32]) {
        HeadRows::new(*self, rows, q.len() / scales.len()).logits(row_scales, q, scales, logits);
    }

    fn head_f32(&mut self, rows: &[u8], z: &[f32], logits: &mut [f32]) {
        Kernels::head_f32(self, rows, z, logits);
    }
}

/// Room for one row of `len` values.
fn no_rows(kernels: Kernels, len: usize) -> QuantisedRows {
    let mut rows = QuantisedRows::new(kernels, len, 1);
    rows.clear(len);
    rows
}

fn first_row(rows: &QuantisedRows) -> Quantised {
    (rows.q(0).to_vec(), rows.scale(0))
}
