//! The oracle's side of the kernel checks.

use bitstate_kernels::{GatedInput, MixInput, NormInput, WkvInput};
use bitstate_model::Matrix;
use bitstate_reference::canonical::primitives as p;
use bitstate_suite::checks::{Arithmetic, Quantised};

/// The canonical primitives, naive and scalar.
pub struct Oracle;

impl Arithmetic for Oracle {
    fn exp(&mut self, x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = p::exp(*x));
    }

    fn layer_norm(&mut self, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
        out.copy_from_slice(&p::layer_norm(x, weight, bias));
    }

    fn mix(&mut self, z: &[f32], previous: &[f32], mu: &[f32], out: &mut [f32]) {
        out.copy_from_slice(&p::mix(z, previous, mu));
    }

    fn quantise_int8(&mut self, y: &[f32]) -> Quantised {
        let quantised = p::quantise(y);
        (quantised.q, quantised.a)
    }

    fn quantise_15bit(&mut self, z: &[f32]) -> (Vec<i16>, f32) {
        let (q, scale) = p::quantise_head(z);
        (q.into_iter().map(|q| q as i16).collect(), scale)
    }

    fn wkv(&mut self, input: WkvInput<'_>, state: &mut [f32], y: &mut [f32]) {
        let WkvInput { r, k, v, decay, bonus } = input;
        y.copy_from_slice(&p::wkv(&p::WkvHead { r, k, v, w: decay, b: bonus }, state));
    }

    fn silu_gate(&mut self, o: &mut [f32], g: &[f32]) {
        o.iter_mut().zip(g).for_each(|(o, &g)| *o *= p::silu(g));
    }

    fn sigmoid_gate_add(&mut self, x: &mut [f32], r: &[f32], v: &[f32]) {
        x.iter_mut().zip(r).zip(v).for_each(|((x, &r), v)| *x += p::sigmoid(r) * v);
    }

    fn relu_squared(&mut self, k: &mut [f32]) {
        k.iter_mut().for_each(|k| *k = p::max(0.0, *k) * p::max(0.0, *k));
    }

    fn mix_inputs<const N: usize>(&mut self, z: &[f32], previous: &[f32], mixes: [MixInput<'_>; N]) -> [Quantised; N] {
        mixes.map(|MixInput { mu, norm }| self.normed(&p::mix(z, previous, mu), norm))
    }

    fn gated_input(&mut self, gated: GatedInput<'_>, y: &mut [f32]) -> Quantised {
        let GatedInput { x, head_size, group_norm, g, norm } = gated;
        for (at, y) in (0..).step_by(head_size).zip(y.chunks_mut(head_size)) {
            let head = at..at + head_size;
            let NormInput { weight, bias } = group_norm;
            y.copy_from_slice(&p::layer_norm(&x[head.clone()], &weight[head.clone()], &bias[head]));
        }
        self.silu_gate(y, g);
        self.normed(y, norm)
    }

    fn relu_squared_input(&mut self, k: &[f32], norm: NormInput<'_>) -> Quantised {
        let mut squared = k.to_vec();
        self.relu_squared(&mut squared);
        self.normed(&squared, norm)
    }

    fn ternary(&mut self, matrix: Matrix<'_>, q: &[i8], scale: f32, y: &mut [f32]) {
        for (row, y) in y.iter_mut().enumerate() {
            let sum: i32 = (0..matrix.cols).map(|col| i32::from(matrix.get(row, col)) * i32::from(q[col])).sum();
            *y = sum as f32 * scale;
        }
    }

    fn head_int8(&mut self, rows: &[i8], row_scales: &[f32], q: &[i16], scale: f32, logits: &mut [f32]) {
        for (row, logit) in logits.iter_mut().enumerate() {
            let sum: i32 = (0..q.len()).map(|i| i32::from(rows[row * q.len() + i]) * i32::from(q[i])).sum();
            *logit = sum as f32 * (row_scales[row] * scale);
        }
    }

    fn head_many(&mut self, rows: &[i8], row_scales: &[f32], q: &[i16], scales: &[f32], logits: &mut [f32]) {
        let sessions = q.chunks(q.len() / scales.len()).zip(scales).zip(logits.chunks_mut(row_scales.len()));
        for ((q, &scale), logits) in sessions {
            self.head_int8(rows, row_scales, q, scale, logits);
        }
    }

    fn head_f32(&mut self, rows: &[u8], z: &[f32], logits: &mut [f32]) {
        for (row, logit) in logits.iter_mut().enumerate() {
            let value = |i: usize| {
                let at = (row * z.len() + i) * 4;
                f32::from_le_bytes([rows[at], rows[at + 1], rows[at + 2], rows[at + 3]])
            };
            *logit = p::sum16((0..z.len()).map(|i| value(i) * z[i]));
        }
    }
}

impl Oracle {
    /// `quantise(layer_norm(x))`.
    fn normed(&mut self, x: &[f32], norm: NormInput<'_>) -> Quantised {
        self.quantise_int8(&p::layer_norm(x, norm.weight, norm.bias))
    }
}
