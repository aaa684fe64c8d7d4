//! BitLinear: norm, token shift and quantisation in one pass, then the product.

use super::Norm;
use super::graph::{Saved, Step, Tensor, apply, like, matmul, owned, rows_of, slice, tensor, transposed};
use crate::kernels::Real;
use crate::kernels::bit_linear::{self, RowParams, Rows};
use burn_backend::TensorMetadata;
use burn_flex::FlexTensor;
use std::sync::Arc;

/// Parameters of a BitLinear: its matrix (out × in) and the norm before it.
#[derive(Debug, Clone)]
pub struct BitLinear {
    /// The trained weights; the model's are these made ternary.
    pub weight: Tensor,
    /// Norm of the input.
    pub norm: Norm,
}

/// How a BitLinear is computed.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Rows per sequence.
    pub seq_len: usize,
    /// Ternary weights and INT8 activations; else an ordinary linear layer after a norm.
    pub quantise: bool,
}

/// With a token shift: z, w, γ, β, μ. Without: z, w, γ, β.
#[derive(Debug, Clone, Copy)]
struct Linear(Mode);

/// Saved by [`Linear`]: `q` and `W` as tensors, `a` and `s`.
struct LinearSaved<T> {
    q: FlexTensor,
    a: Vec<T>,
    ternary: FlexTensor,
    s: T,
}

impl Linear {
    fn rows(self, z: &FlexTensor) -> Rows {
        Rows { width: rows_of(z)[1], seq_len: self.0.seq_len, quantise: self.0.quantise }
    }

    fn run<T: Real>(self, [z, w]: [&FlexTensor; 2], params: RowParams<'_, T>) -> (FlexTensor, Saved) {
        let bit_linear::Quantised { q, a } = self.rows(z).forward(slice::<T>(z), params);
        let q = like(q, z);
        let (ternary, s) = match self.0.quantise {
            true => {
                let (ternary, s) = bit_linear::ternary::<T>(slice(w));
                (like(ternary, w), s)
            }
            false => (w.clone(), T::one()),
        };
        let product = matmul(q.clone(), transposed(ternary.clone()));
        let shape = product.shape();
        let mut y = owned::<T>(product);
        if self.0.quantise {
            bit_linear::scale_rows(&mut y, &a, s);
        }
        (tensor(y, shape), Arc::new(LinearSaved { q, a, ternary, s }))
    }

    /// Gradients of z, w, γ, β and, with a token shift, μ.
    fn gradients<T: Real>(
        self,
        z: &FlexTensor,
        params: RowParams<'_, T>,
        saved: &Saved,
        d: FlexTensor,
    ) -> ([FlexTensor; 4], Option<Vec<T>>) {
        let saved = saved.downcast_ref::<LinearSaved<T>>().expect("what the forward pass saved");
        let dx = matmul(d.clone(), saved.ternary.clone());
        let x = match self.0.quantise {
            true => {
                let mut x = slice::<T>(&saved.q).to_vec();
                bit_linear::scale_rows(&mut x, &saved.a, T::one());
                like(x, z)
            }
            false => saved.q.clone(),
        };
        let dw = matmul(transposed(d), x);
        let mut dx = owned::<T>(dx);
        if self.0.quantise {
            dx.iter_mut().for_each(|d| *d *= saved.s);
        }
        let ([dz, dgamma, dbeta], dmu) = self.rows(z).backward(slice(z), params, dx);
        let width = params.gamma.len();
        ([like(dz, z), dw, tensor(dgamma, [width]), tensor(dbeta, [width])], dmu)
    }
}

impl Step<4> for Linear {
    fn forward<T: Real>(self, [z, w, gamma, beta]: &[FlexTensor; 4]) -> (FlexTensor, Saved) {
        self.run::<T>([z, w], RowParams { mu: None, gamma: slice(gamma), beta: slice(beta) })
    }

    fn backward<T: Real>(self, inputs: [FlexTensor; 4], saved: &Saved, d: FlexTensor) -> [FlexTensor; 4] {
        let [z, _, gamma, beta] = &inputs;
        self.gradients::<T>(z, RowParams { mu: None, gamma: slice(gamma), beta: slice(beta) }, saved, d).0
    }
}

impl Step<5> for Linear {
    fn forward<T: Real>(self, [z, w, gamma, beta, mu]: &[FlexTensor; 5]) -> (FlexTensor, Saved) {
        self.run::<T>([z, w], RowParams { mu: Some(slice(mu)), gamma: slice(gamma), beta: slice(beta) })
    }

    fn backward<T: Real>(self, inputs: [FlexTensor; 5], saved: &Saved, d: FlexTensor) -> [FlexTensor; 5] {
        let [z, _, gamma, beta, mu] = &inputs;
        let params = RowParams { mu: Some(slice(mu)), gamma: slice(gamma), beta: slice(beta) };
        let ([dz, dw, dgamma, dbeta], dmu) = self.gradients::<T>(z, params, saved, d);
        [dz, dw, dgamma, dbeta, like(dmu.expect("there is a μ"), mu)]
    }
}

/// BitLinear of the rows of `z` (N × in), N × out; after a token shift if there is `mu`.
pub fn bit_linear(mode: Mode, z: Tensor, mu: Option<&Tensor>, linear: &BitLinear) -> Tensor {
    let BitLinear { weight, norm } = linear.clone();
    match mu {
        None => apply(Linear(mode), [z, weight, norm.weight, norm.bias]),
        Some(mu) => apply(Linear(mode), [z, weight, norm.weight, norm.bias, mu.clone()]),
    }
}
