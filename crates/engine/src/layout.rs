//! How the kernels process the shapes of a model.

use crate::engine::Engine;
use crate::observe::Step;
use crate::weights::{BitLinear, Embedding};
use bitstate_kernels::Path;

/// How a matrix of a model, or its vectors, is processed. All layers are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathOf {
    /// The step with this matrix, `head.top` if only the largest logits are requested, `wkv`, or `vectors` for the
    /// norms, quantisations and gates of one width.
    pub name: &'static str,
    /// Number of outputs.
    pub rows: usize,
    /// Number of inputs.
    pub cols: usize,
    /// How many of it a token passes through: one per layer, or one; for `wkv` one per head. Vectors are not counted:
    /// 1.
    pub count: usize,
    /// The path of the kernel.
    pub path: Path,
}

impl Engine<'_> {
    /// How every part of the model is processed: the matrices of a layer, the head, the recurrence and the vectors.
    pub fn paths(&self) -> impl Iterator<Item = PathOf> {
        let (kernels, config) = (self.kernels, self.config);
        let (v, d, s, f) = (config.vocab_size, config.n_embd, config.head_size, config.ff_dim());
        let (layers, heads) = (config.n_layer, config.n_embd / config.head_size);
        let matrix = move |(step, linear): (Step, &BitLinear)| {
            let (rows, cols) = (linear.weight.rows(), linear.weight.cols());
            PathOf { name: step.name(), rows, cols, count: layers, path: kernels.ternary_path(rows, cols) }
        };
        let matrices = self.layers.first().into_iter().flat_map(|layer| {
            let (tm, cm) = (&layer.time_mix, &layer.channel_mix);
            [
                (Step::TimeMixR, &tm.r),
                (Step::TimeMixK, &tm.k),
                (Step::TimeMixV, &tm.v),
                (Step::TimeMixG, &tm.g),
                (Step::TimeMixOutput, &tm.o),
                (Step::ChannelMixK, &cm.k),
                (Step::ChannelMixR, &cm.r),
                (Step::ChannelMixV, &cm.v),
            ]
        });
        let (path, top) = match &self.embedding {
            Embedding::Int8(rows) => (kernels.head_int8_path(v, d), rows.top_path()),
            Embedding::F32(_) => (kernels.lanes_path(d), kernels.lanes_path(d)),
        };
        let head = PathOf { name: Step::Head.name(), rows: v, cols: d, count: 1, path };
        let top = PathOf { name: "head.top", rows: v, cols: d, count: 1, path: top };
        let wkv = PathOf { name: "wkv", rows: s, cols: s, count: layers * heads, path: kernels.wkv_path(s) };
        let vectors =
            [d, s, f].map(|n| PathOf { name: "vectors", rows: 1, cols: n, count: 1, path: kernels.lanes_path(n) });
        matrices.map(matrix).chain([head, top, wkv]).chain(vectors)
    }
}
