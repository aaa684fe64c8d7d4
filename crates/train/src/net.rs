//! The model for training: every step of the definition over whole sequences.

use crate::kernels::dropout::mixed;
use crate::ops::{self, BitLinear, Dropout, Mode, Norm, Tensor, Wanted};
use crate::params::{Param, Params};
use bitstate_model::Config;

/// The parameters as tensors, ready for forward passes.
#[derive(Debug)]
pub struct Net {
    config: Config,
    /// Whether BitLinear and the embedding are quantised as in the exported model.
    quantise: bool,
    /// The dropout of the next forward pass, applied to the mixes' outputs.
    pub dropout: Option<Dropout>,
    leaves: Vec<Tensor>,
    embedding: Tensor,
    layers: Vec<Layer>,
    ln_f: Norm,
}

#[derive(Debug)]
struct Layer {
    r: BitLinear,
    k: BitLinear,
    v: BitLinear,
    g: BitLinear,
    o: BitLinear,
    ck: BitLinear,
    cr: BitLinear,
    cv: BitLinear,
    ln1: Norm,
    ln2: Norm,
    group_norm: Norm,
    log_decay: Tensor,
    u: Tensor,
    mu_r: Tensor,
    mu_k: Tensor,
    mu_v: Tensor,
    mu_g: Tensor,
    mu_ck: Tensor,
    mu_cr: Tensor,
}

/// Token ids of `batch` sequences of `seq_len`, concatenated.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The tokens.
    pub tokens: &'a [u32],
    /// Tokens per sequence.
    pub seq_len: usize,
}

impl Net {
    /// The net of `params`; `track` enables gradients.
    pub fn new(config: &Config, params: &Params, quantise: bool, track: bool) -> Net {
        let leaf = |param: &Param| ops::leaf(param.values.clone(), &param.shape, track);
        let leaves: Vec<Tensor> = params.0.iter().map(leaf).collect();
        let mut take = Take(leaves.iter());
        let embedding = take.next();
        let layers = (0..config.n_layer).map(|_| take.layer()).collect();
        let ln_f = take.norm();
        Net { config: *config, quantise, dropout: None, embedding, layers, ln_f, leaves }
    }

    /// Logits (N × V) for the token after each of the batch's, with every sequence starting from an empty state.
    pub fn logits(&self, batch: Batch<'_>) -> Tensor {
        let seq_len = batch.seq_len;
        let mode = Mode { seq_len, quantise: self.quantise };
        let linear = |z: &Tensor, mu, linear| ops::bit_linear(mode, z.clone(), mu, linear);
        let embedding = self.embedding.clone();
        let embedding = if self.quantise { ops::int8_rows(embedding) } else { embedding };

        let mut x = ops::embed(embedding.clone(), batch.tokens);
        for (l, layer) in self.layers.iter().enumerate() {
            // Time mix.
            let z = ops::layer_norm(x.clone(), &layer.ln1);
            let r = linear(&z, Some(&layer.mu_r), &layer.r);
            let k = linear(&z, Some(&layer.mu_k), &layer.k);
            let v = linear(&z, Some(&layer.mu_v), &layer.v);
            let g = linear(&z, Some(&layer.mu_g), &layer.g);
            let y = ops::wkv(seq_len, [r, k, v], &layer.log_decay, &layer.u);
            let o = ops::norm_gate(self.config.n_head, y, g, &layer.group_norm);
            x = ops::add(x, self.thinned(2 * l, linear(&o, None, &layer.o)));
            // Channel mix.
            let z = ops::layer_norm(x.clone(), &layer.ln2);
            let k = ops::squared_relu(linear(&z, Some(&layer.mu_ck), &layer.ck));
            let r = linear(&z, Some(&layer.mu_cr), &layer.cr);
            x = ops::add(x, self.thinned(2 * l + 1, ops::gate(r, linear(&k, None, &layer.cv))));
        }
        ops::head(ops::layer_norm(x, &self.ln_f), embedding)
    }

    /// The output of the `mix`-th mix after dropout.
    fn thinned(&self, mix: usize, added: Tensor) -> Tensor {
        match self.dropout {
            None => added,
            Some(Dropout { share, seed }) => ops::dropout(added, Dropout { share, seed: mixed(seed, mix as u64) }),
        }
    }

    /// The loss and the cross entropy of a batch, as from [`ops::loss`].
    pub fn loss(&self, batch: Batch<'_>, wanted: Wanted) -> Tensor {
        ops::loss(self.logits(batch), wanted)
    }

    /// The gradient of every parameter, in order, for the first value of `loss`; zeros if it does not depend on one.
    pub fn gradients(&self, loss: Tensor) -> Vec<Vec<f32>> {
        ops::gradients(loss, &self.leaves)
    }
}

/// Yields leaves in the order of [`Params`].
struct Take<'a>(std::slice::Iter<'a, Tensor>);

impl Take<'_> {
    fn next(&mut self) -> Tensor {
        self.0.next().expect("Params has as many as the net").clone()
    }

    fn norm(&mut self) -> Norm {
        Norm { weight: self.next(), bias: self.next() }
    }

    fn linear(&mut self) -> BitLinear {
        BitLinear { weight: self.next(), norm: self.norm() }
    }

    fn layer(&mut self) -> Layer {
        Layer {
            r: self.linear(),
            k: self.linear(),
            v: self.linear(),
            g: self.linear(),
            o: self.linear(),
            ck: self.linear(),
            cr: self.linear(),
            cv: self.linear(),
            ln1: self.norm(),
            ln2: self.norm(),
            group_norm: self.norm(),
            log_decay: self.next(),
            u: self.next(),
            mu_r: self.next(),
            mu_k: self.next(),
            mu_v: self.next(),
            mu_g: self.next(),
            mu_ck: self.next(),
            mu_cr: self.next(),
        }
    }
}
