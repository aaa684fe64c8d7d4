//! Adding a step to Burn's graph, and reading values and gradients.

use crate::kernels::Real;
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

/// Values saved by a forward pass for its backward pass.
pub(super) type Saved = Arc<dyn Any + Send + Sync>;

/// A step with its own backward pass, in f32 or f64.
pub(super) trait Step<const N: usize>: Clone + Debug + Send + 'static {
    fn forward<T: Real>(self, inputs: &[FlexTensor; N]) -> (FlexTensor, Saved);

    /// The gradients of the inputs, given that of the output.
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
pub(super) fn apply<S: Step<N>, const N: usize>(step: S, inputs: [Tensor; N]) -> Tensor {
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

pub(super) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() && tensor.layout().start_offset() == 0 { tensor } else { tensor.to_contiguous() }
}

pub(super) fn slice<T: Real>(tensor: &FlexTensor) -> &[T] {
    tensor.as_slice().expect("inputs are made contiguous when they come in")
}

pub(super) fn owned<T: Real>(mut tensor: FlexTensor) -> Vec<T> {
    // Without a copy if the buffer is not shared.
    match tensor.is_unique() {
        true => tensor.into_data().try_into_vec().expect("of this type"),
        false => {
            tensor = contiguous(tensor);
            slice::<T>(&tensor).to_vec()
        }
    }
}

pub(super) fn tensor<T: Real>(values: Vec<T>, shape: impl Into<burn_backend::Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

pub(super) fn like<T: Real>(values: Vec<T>, other: &FlexTensor) -> FlexTensor {
    tensor(values, other.shape())
}

pub(super) fn matmul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
    contiguous(Flex::float_matmul(lhs, rhs))
}

pub(super) fn transposed(tensor: FlexTensor) -> FlexTensor {
    tensor.transpose(0, 1)
}

pub(super) fn rows_of(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.shape();
    [shape[0], shape[1]]
}

/// A leaf of the graph; `track` enables its gradient.
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

/// Gradients of `leaves` for the first value of `loss`; zeros if it does not depend on one.
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
