//! Work buffers for a batch of rows, step by step.

use alloc::vec;
use alloc::vec::Vec;
use bitstate_kernels::{Kernels, MatmulScratch, QuantisedRows, ReadOrder};
use bitstate_model::{AlignedFloats, Config};

/// The activations of a batch. They are kept in a state, so that a token allocates nothing and an engine can serve many
/// sessions, but they are not part of what a session remembers. Fields described as `rows` have one for each row of the
/// batch.
#[derive(Clone)]
pub(crate) struct Activations {
    /// The residual stream, rows of D.
    pub x: AlignedFloats,
    /// The outputs of the matrices, rows of D; `k` has rows of F.
    pub r: AlignedFloats,
    pub k: AlignedFloats,
    pub v: AlignedFloats,
    pub g: AlignedFloats,
    pub y: AlignedFloats,
    /// The inputs of the matrices, rows.
    pub inputs: Inputs,
    /// The normed input of a mix, D.
    pub z: AlignedFloats,
    /// The order in which the next head is read.
    pub order: ReadOrder,
    /// The head's 15-bit inputs, rows of D, and the scale of each row.
    pub head: Vec<i16>,
    pub head_scales: Vec<f32>,
}

/// The inputs of the matrices; each of several matrices that read the same rows has its own.
#[derive(Clone)]
pub(crate) struct Inputs {
    pub r: QuantisedRows,
    /// As wide as F, so also the input of the matrices that read k.
    pub k: QuantisedRows,
    pub v: QuantisedRows,
    pub g: QuantisedRows,
    /// Work buffer for the inputs of a mix, four of D, or for one of F; in whole vectors.
    pub room: AlignedFloats,
    pub scratch: MatmulScratch,
}

impl Inputs {
    /// Empties the inputs of the mixes, for rows of `len` values.
    pub fn clear(&mut self, len: usize) {
        for input in [&mut self.r, &mut self.k, &mut self.v, &mut self.g] {
            input.clear(len);
        }
    }
}

impl Activations {
    pub fn new(config: &Config, kernels: Kernels) -> Self {
        let (d, f, rows) = (config.n_embd, config.ff_dim(), kernels.batch_rows());
        let zeros = AlignedFloats::zeros;
        let input = |width| QuantisedRows::new(kernels, width, rows);
        Activations {
            x: zeros(rows * d),
            r: zeros(rows * d),
            k: zeros(rows * f),
            v: zeros(rows * d),
            g: zeros(rows * d),
            y: zeros(rows * d),
            inputs: Inputs {
                r: input(d),
                k: input(f),
                v: input(d),
                g: input(d),
                room: zeros((4 * d.next_multiple_of(16)).max(f.next_multiple_of(16))),
                scratch: MatmulScratch::new(kernels, f),
            },
            z: zeros(d),
            order: ReadOrder::FirstToLast,
            head: vec![0; rows * d],
            head_scales: vec![0.0; rows],
        }
    }

    /// The residual stream of a row.
    pub fn residual(&self, row: usize) -> &[f32] {
        let d = self.z.len();
        &self.x[row * d..][..d]
    }
}
