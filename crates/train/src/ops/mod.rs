//! The steps of the model as operations of Burn's autodiff: forward and backward passes of [`crate::kernels`] on the
//! buffers of the CPU backend.
//!
//! Activations are rows: N = batch · seq_len of them, sequence after sequence.

mod graph;
mod linear;

pub use graph::{Cpu, Tensor, first, gradients, gradients_along, leaf, values};
pub use linear::{BitLinear, Mode, bit_linear};

use crate::kernels::loss::{self, Distill};
use crate::kernels::{Real, axpy, bit_linear as rows, dropout as kernel, gates, norm, wkv, zip_map};
use burn_backend::ops::FloatTensorOps;
use burn_flex::FlexTensor;
use graph::{Saved, Step, apply, contiguous, like, owned, rows_of, slice, tensor};
use std::sync::Arc;

/// Weight and bias of a norm.
#[derive(Debug, Clone)]
pub struct Norm {
    /// γ.
    pub weight: Tensor,
    /// β.
    pub bias: Tensor,
}

#[derive(Debug, Clone, Copy)]
struct LayerNorm;

impl Step<3> for LayerNorm {
    fn forward<T: Real>(self, [x, gamma, beta]: &[FlexTensor; 3]) -> (FlexTensor, Saved) {
        let shape = norm::Shape { width: rows_of(x)[1], groups: 1 };
        (like(norm::forward::<T>(shape, slice(x), slice(gamma), slice(beta)), x), Arc::new(()))
    }

    fn backward<T: Real>(self, [x, gamma, beta]: [FlexTensor; 3], _: &Saved, d: FlexTensor) -> [FlexTensor; 3] {
        let shape = norm::Shape { width: rows_of(&x)[1], groups: 1 };
        let [dx, dgamma, dbeta] = norm::backward::<T>(shape, slice(&x), slice(&gamma), owned(d));
        [like(dx, &x), like(dgamma, &gamma), like(dbeta, &beta)]
    }
}

/// Mean 0 and variance 1 in every row of `x` (N × D), then γ and β.
pub fn layer_norm(x: Tensor, norm: &Norm) -> Tensor {
    apply(LayerNorm, [x, norm.weight.clone(), norm.bias.clone()])
}

#[derive(Debug, Clone, Copy)]
struct Wkv(usize);

impl Wkv {
    fn shape(self, r: &FlexTensor, log_decay: &FlexTensor) -> wkv::Shape {
        let [heads, size] = rows_of(log_decay);
        wkv::Shape { batch: rows_of(r)[0] / self.0, seq_len: self.0, heads, size }
    }
}

impl Step<5> for Wkv {
    fn forward<T: Real>(self, [r, k, v, log_decay, u]: &[FlexTensor; 5]) -> (FlexTensor, Saved) {
        let rkv = [slice::<T>(r), slice(k), slice(v)];
        let (y, states) = wkv::forward(self.shape(r, log_decay), rkv, slice(log_decay), slice(u));
        (like(y, r), Arc::new(states))
    }

    fn backward<T: Real>(self, inputs: [FlexTensor; 5], saved: &Saved, d: FlexTensor) -> [FlexTensor; 5] {
        let [r, k, v, log_decay, u] = &inputs;
        let states = saved.downcast_ref::<wkv::States<T>>().expect("what the forward pass saved");
        let rkv = [slice::<T>(r), slice(k), slice(v)];
        let grads = wkv::backward(self.shape(r, log_decay), rkv, slice(log_decay), slice(u), states, slice(&d));
        [like(grads.r, r), like(grads.k, r), like(grads.v, r), like(grads.log_decay, log_decay), like(grads.u, u)]
    }
}

/// The WKV recurrence over rows r, k, v (N × D), each sequence from a state of zeros; `log_decay` and `u` are H × S.
pub fn wkv(seq_len: usize, rkv: [Tensor; 3], log_decay: &Tensor, u: &Tensor) -> Tensor {
    let [r, k, v] = rkv;
    apply(Wkv(seq_len), [r, k, v, log_decay.clone(), u.clone()])
}

#[derive(Debug, Clone, Copy)]
struct NormGate(usize);

impl Step<4> for NormGate {
    fn forward<T: Real>(self, [y, g, gamma, beta]: &[FlexTensor; 4]) -> (FlexTensor, Saved) {
        let shape = norm::Shape { width: rows_of(y)[1], groups: self.0 };
        (like(gates::norm_gate::<T>(shape, slice(y), slice(g), slice(gamma), slice(beta)), y), Arc::new(()))
    }

    fn backward<T: Real>(self, inputs: [FlexTensor; 4], _: &Saved, d: FlexTensor) -> [FlexTensor; 4] {
        let shape = norm::Shape { width: rows_of(&inputs[0])[1], groups: self.0 };
        let grads = gates::norm_gate_backward::<T>(shape, inputs.each_ref().map(slice), owned(d));
        let mut inputs = inputs.iter();
        grads.map(|grad| like(grad, inputs.next().expect("one for each")))
    }
}

/// `group_norm(y; heads groups) · silu(g)`, both N × D.
pub fn norm_gate(heads: usize, y: Tensor, g: Tensor, norm: &Norm) -> Tensor {
    let Norm { weight, bias } = norm.clone();
    apply(NormGate(heads), [y, g, weight, bias])
}

#[derive(Debug, Clone, Copy)]
struct SquaredRelu;

impl Step<1> for SquaredRelu {
    fn forward<T: Real>(self, [k]: &[FlexTensor; 1]) -> (FlexTensor, Saved) {
        (like(gates::squared_relu::<T>(slice(k)), k), Arc::new(()))
    }

    fn backward<T: Real>(self, [k]: [FlexTensor; 1], _: &Saved, d: FlexTensor) -> [FlexTensor; 1] {
        [like(gates::squared_relu_backward::<T>(slice(&k), slice(&d)), &k)]
    }
}

/// `max(0, k)²`.
pub fn squared_relu(k: Tensor) -> Tensor {
    apply(SquaredRelu, [k])
}

#[derive(Debug, Clone, Copy)]
struct Gate;

impl Step<2> for Gate {
    fn forward<T: Real>(self, [r, v]: &[FlexTensor; 2]) -> (FlexTensor, Saved) {
        (like(gates::gate::<T>(slice(r), slice(v)), r), Arc::new(()))
    }

    fn backward<T: Real>(self, [r, v]: [FlexTensor; 2], _: &Saved, d: FlexTensor) -> [FlexTensor; 2] {
        gates::gate_backward::<T>(slice(&r), slice(&v), slice(&d)).map(|grad| like(grad, &r))
    }
}

/// `sigmoid(r) · v`.
pub fn gate(r: Tensor, v: Tensor) -> Tensor {
    apply(Gate, [r, v])
}

/// INT8 rows with a scale each, as the file stores the embedding; the gradient is straight-through.
#[derive(Debug, Clone, Copy)]
struct Int8Rows;

impl Step<1> for Int8Rows {
    fn forward<T: Real>(self, [rows]: &[FlexTensor; 1]) -> (FlexTensor, Saved) {
        (like(rows::int8_rows::<T>(slice(rows), rows_of(rows)[1]), rows), Arc::new(()))
    }

    fn backward<T: Real>(self, _: [FlexTensor; 1], _: &Saved, d: FlexTensor) -> [FlexTensor; 1] {
        [d]
    }
}

/// The rows as a file of version 1.2 stores them: INT8 with one scale per row.
pub fn int8_rows(rows: Tensor) -> Tensor {
    apply(Int8Rows, [rows])
}

/// The targets, and optionally a teacher's logits.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The next token of each row, or [`loss::IGNORED`].
    pub targets: Arc<[u32]>,
    /// The teacher's logits (N × V) and their weight.
    pub teacher: Option<(Tensor, Distill)>,
}

#[derive(Debug, Clone)]
struct Loss(Wanted);

impl Step<1> for Loss {
    fn forward<T: Real>(self, [logits]: &[FlexTensor; 1]) -> (FlexTensor, Saved) {
        let Wanted { targets, teacher } = self.0;
        let teacher = teacher.map(|(logits, distill)| (contiguous(logits.into_primitive()), distill));
        let teacher = teacher.as_ref().map(|(logits, distill)| (slice::<T>(logits), *distill));
        let loss = loss::loss::<T>(rows_of(logits)[1], slice(logits), &targets, teacher);
        (tensor(vec![loss.value, loss.cross_entropy], [2]), Arc::new(like(loss.gradient, logits)))
    }

    fn backward<T: Real>(self, _: [FlexTensor; 1], saved: &Saved, d: FlexTensor) -> [FlexTensor; 1] {
        let gradient = saved.downcast_ref::<FlexTensor>().expect("what the forward pass saved");
        let d = slice::<T>(&d)[0];
        [like(slice::<T>(gradient).iter().map(|&g| g * d).collect(), gradient)]
    }
}

/// Two values: the loss of `logits` (N × V), and the cross entropy alone, which has no gradient.
pub fn loss(logits: Tensor, wanted: Wanted) -> Tensor {
    apply(Loss(wanted), [logits])
}

#[derive(Debug, Clone, Copy)]
struct Add;

impl Step<2> for Add {
    fn forward<T: Real>(self, [x, y]: &[FlexTensor; 2]) -> (FlexTensor, Saved) {
        (like(zip_map::<T>(slice(x), slice(y), |x, y| x + y), x), Arc::new(()))
    }

    fn backward<T: Real>(self, _: [FlexTensor; 2], _: &Saved, d: FlexTensor) -> [FlexTensor; 2] {
        [d.clone(), d]
    }
}

/// `x + y`.
pub fn add(x: Tensor, y: Tensor) -> Tensor {
    apply(Add, [x, y])
}

/// Dropout.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    /// The dropped fraction, 0 to 1.
    pub share: f64,
    /// The seed.
    pub seed: u64,
}

impl Step<1> for Dropout {
    fn forward<T: Real>(self, [x]: &[FlexTensor; 1]) -> (FlexTensor, Saved) {
        (like(kernel::dropout::<T>(self.share, self.seed, slice(x)), x), Arc::new(()))
    }

    fn backward<T: Real>(self, [x]: [FlexTensor; 1], _: &Saved, d: FlexTensor) -> [FlexTensor; 1] {
        [like(kernel::dropout::<T>(self.share, self.seed, slice(&d)), &x)]
    }
}

/// `x` with some values zeroed at random, and the others scaled up to compensate.
pub fn dropout(x: Tensor, which: Dropout) -> Tensor {
    apply(which, [x])
}

#[derive(Debug, Clone)]
struct Embed(Arc<[u32]>);

impl Step<1> for Embed {
    fn forward<T: Real>(self, [embedding]: &[FlexTensor; 1]) -> (FlexTensor, Saved) {
        let width = rows_of(embedding)[1];
        let rows = slice::<T>(embedding);
        let x = self.0.iter().flat_map(|&token| &rows[token as usize * width..][..width]).copied().collect();
        (tensor(x, [self.0.len(), width]), Arc::new(()))
    }

    fn backward<T: Real>(self, [embedding]: [FlexTensor; 1], _: &Saved, d: FlexTensor) -> [FlexTensor; 1] {
        let width = rows_of(&embedding)[1];
        let mut grad = vec![T::zero(); slice::<T>(&embedding).len()];
        for (&token, d) in self.0.iter().zip(slice::<T>(&d).chunks(width)) {
            axpy(&mut grad[token as usize * width..][..width], T::one(), d);
        }
        [like(grad, &embedding)]
    }
}

/// The rows of `embedding` (V × D) for the tokens: N × D.
pub fn embed(embedding: Tensor, tokens: &[u32]) -> Tensor {
    apply(Embed(tokens.into()), [embedding])
}

/// `x · embeddingᵀ`: N × V.
pub fn head(x: Tensor, embedding: Tensor) -> Tensor {
    Cpu::float_matmul(x, Cpu::float_transpose(embedding))
}
