//! The steps of the model as operations of Burn's autodiff: forward and backward passes of [`crate::kernels`] on the
//! buffers of the CPU backend.
//!
//! Activations are rows: N = batch · seq_len of them, sequence after sequence.

use crate::kernels::bit_linear::{self, RowParams, Rows};
use crate::kernels::loss::{self, Distill};
use crate::kernels::{Real, axpy, gates, norm, wkv, zip_map};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::FloatTensor;
use burn_backend::{AutodiffBackend, DType, Slice, TensorData, TensorMetadata};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// Burn's CPU backend with its autodiff.
pub type Cpu = Autodiff<Flex>;

/// A tensor of f32 (or, in tests, f64) with its place in the graph.
pub type Tensor = FloatTensor<Cpu>;

/// What a forward pass leaves for its backward pass.
type Saved = Arc<dyn Any + Send + Sync>;

/// A step with a backward pass of its own, in f32 or f64.
trait Step<const N: usize>: Clone + Debug + Send + 'static {
    fn forward<T: Real>(self, inputs: &[FlexTensor; N]) -> (FlexTensor, Saved);

    /// The gradients of the inputs, from that of the output.
    fn backward<T: Real>(self, inputs: [FlexTensor; N], saved: &Saved, d: FlexTensor) -> [FlexTensor; N];
}

/// The node of a [`Step`] in the graph.
#[derive(Debug, Clone)]
struct Node<S>(S);

#[derive(Clone)]
struct State<const N: usize> {
    inputs: [FlexTensor; N],
    saved: Saved,
}

impl<const N: usize> Debug for State<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl<S: Step<N>, const N: usize> Backward<Flex, N> for Node<S> {
    type State = State<N>;

    fn backward(self, ops: Ops<State<N>, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d = contiguous(grads.consume::<Flex>(&ops.node));
        let State { inputs, saved } = ops.state;
        let gradients = match d.dtype() {
            DType::F64 => self.0.backward::<f64>(inputs, &saved, d),
            _ => self.0.backward::<f32>(inputs, &saved, d),
        };
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Runs `step` on `inputs` and records its backward pass if any of them has a gradient.
fn apply<S: Step<N>, const N: usize>(step: S, inputs: [Tensor; N]) -> Tensor {
    let guards = inputs.each_ref().map(Tensor::node);
    let inputs = inputs.map(|input| contiguous(input.into_primitive()));
    let (output, saved) = match inputs[0].dtype() {
        DType::F64 => step.clone().forward::<f64>(&inputs),
        _ => step.clone().forward::<f32>(&inputs),
    };
    match Node(step).prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(State { inputs, saved }, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() && tensor.layout().start_offset() == 0 { tensor } else { tensor.to_contiguous() }
}

fn slice<T: Real>(tensor: &FlexTensor) -> &[T] {
    tensor.as_slice().expect("inputs are made contiguous when they come in")
}

fn owned<T: Real>(mut tensor: FlexTensor) -> Vec<T> {
    // The buffer itself where nobody else holds it.
    match tensor.is_unique() {
        true => tensor.into_data().try_into_vec().expect("of this type"),
        false => {
            tensor = contiguous(tensor);
            slice::<T>(&tensor).to_vec()
        }
    }
}

fn tensor<T: Real>(values: Vec<T>, shape: impl Into<burn_backend::Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

fn like<T: Real>(values: Vec<T>, other: &FlexTensor) -> FlexTensor {
    tensor(values, other.shape())
}

fn matmul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
    contiguous(Flex::float_matmul(lhs, rhs))
}

fn transposed(tensor: FlexTensor) -> FlexTensor {
    tensor.transpose(0, 1)
}

fn rows_of(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.shape();
    [shape[0], shape[1]]
}

/// Weight and bias of a norm.
#[derive(Debug, Clone)]
pub struct Norm {
    /// γ.
    pub weight: Tensor,
    /// β.
    pub bias: Tensor,
}

/// Parameters of a BitLinear: its matrix (out × in) and the norm in front of it.
#[derive(Debug, Clone)]
pub struct BitLinear {
    /// The weights that training moves; the model's are these made ternary.
    pub weight: Tensor,
    /// Norm of the input.
    pub norm: Norm,
}

/// How a BitLinear is computed.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Rows of one sequence.
    pub seq_len: usize,
    /// Ternary weights and INT8 activations; else an ordinary linear layer behind a norm.
    pub quantise: bool,
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

/// With a token shift: z, w, γ, β, μ. Without: z, w, γ, β.
#[derive(Debug, Clone, Copy)]
struct Linear(Mode);

/// What [`Linear`] keeps: `q` and `W` as tensors, `a` and `s`.
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

    /// Gradients of z, w, γ, β and perhaps μ.
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

/// BitLinear of the rows of `z` (N × in), N × out; with `mu` after the token shift.
pub fn bit_linear(mode: Mode, z: Tensor, mu: Option<&Tensor>, linear: &BitLinear) -> Tensor {
    let BitLinear { weight, norm } = linear.clone();
    match mu {
        None => apply(Linear(mode), [z, weight, norm.weight, norm.bias]),
        Some(mu) => apply(Linear(mode), [z, weight, norm.weight, norm.bias, mu.clone()]),
    }
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

/// INT8 rows with a scale each, as the file holds the embedding; the gradient goes straight through.
#[derive(Debug, Clone, Copy)]
struct Int8Rows;

impl Step<1> for Int8Rows {
    fn forward<T: Real>(self, [rows]: &[FlexTensor; 1]) -> (FlexTensor, Saved) {
        (like(bit_linear::int8_rows::<T>(slice(rows), rows_of(rows)[1]), rows), Arc::new(()))
    }

    fn backward<T: Real>(self, _: [FlexTensor; 1], _: &Saved, d: FlexTensor) -> [FlexTensor; 1] {
        [d]
    }
}

/// The rows as a file of version 1.2 holds them: INT8 with a scale a row.
pub fn int8_rows(rows: Tensor) -> Tensor {
    apply(Int8Rows, [rows])
}

/// What the next tokens really are, and what a teacher says about them.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The next token of each row.
    pub targets: Arc<[u32]>,
    /// The teacher's logits (N × V) and how they count.
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

/// The loss of `logits` (N × V), and behind it the cross entropy alone, which has no gradient: two values.
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

/// The rows of `embedding` (V × D) that the tokens name: N × D.
pub fn embed(embedding: Tensor, tokens: &[u32]) -> Tensor {
    apply(Embed(tokens.into()), [embedding])
}

/// `x · embeddingᵀ`: N × V.
pub fn head(x: Tensor, embedding: Tensor) -> Tensor {
    Cpu::float_matmul(x, Cpu::float_transpose(embedding))
}

/// A leaf of the graph; with `track` its gradient can be asked for.
pub fn leaf<T: Real>(values: Vec<T>, shape: &[usize], track: bool) -> Tensor {
    let tensor = Cpu::float_from_data(TensorData::new(values, shape.to_vec()), &FlexDevice);
    if track { Cpu::float_set_require_grad(tensor, true) } else { tensor }
}

/// The values of a tensor, row by row.
pub fn values<T: Real>(tensor: &Tensor) -> Vec<T> {
    let tensor = contiguous(tensor.primitive().clone());
    slice::<T>(&tensor).to_vec()
}

/// The first value of a tensor of one dimension.
pub fn first(tensor: Tensor) -> Tensor {
    Cpu::float_slice(tensor, &[Slice::from(0..1)])
}

/// Gradients of `leaves` for the first value of `loss`; zeros where it does not depend on one.
pub fn gradients<'a, T: Real>(loss: Tensor, leaves: impl IntoIterator<Item = &'a Tensor>) -> Vec<Vec<T>> {
    let grads = Cpu::backward(first(loss));
    let of = |leaf: &Tensor| match Cpu::grad(leaf, &grads) {
        Some(grad) => owned(contiguous(grad)),
        None => vec![T::zero(); leaf.shape().num_elements()],
    };
    leaves.into_iter().map(of).collect()
}

/// Gradients of `leaves` for `Σ y_i · along_i`.
pub fn gradients_along<'a, T: Real>(
    y: Tensor,
    along: &[T],
    leaves: impl IntoIterator<Item = &'a Tensor>,
) -> Vec<Vec<T>> {
    let shape: Vec<usize> = y.shape().to_vec();
    let weighed = Cpu::float_mul(y, leaf(along.to_vec(), &shape, false));
    gradients(Cpu::float_sum(weighed), leaves)
}
