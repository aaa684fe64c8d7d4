//! A model that owns its weights and can be created, changed and written.

use crate::view::{BitLinear, ChannelMix, Embedding, F32s, Layer, Matrix, MatrixData, Model, Norm, TimeMix};
use crate::{Config, Version, WriteError, write};
use alloc::vec::Vec;

/// Weight and bias of a normalisation, of equal length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NormWeights {
    /// γ.
    pub weight: Vec<f32>,
    /// β.
    pub bias: Vec<f32>,
}

/// A BitLinear layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BitLinearWeights {
    /// out × in, row by row; each -1, 0 or 1.
    pub weight: Vec<i8>,
    /// The scale of the matrix.
    pub scale: f32,
    /// Norm of the input; `in` wide.
    pub norm: NormWeights,
}

/// The time mix of a layer.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "r, k, v, g, o are the names of the definition")]
pub struct TimeMixWeights {
    pub r: BitLinearWeights,
    pub k: BitLinearWeights,
    pub v: BitLinearWeights,
    pub g: BitLinearWeights,
    pub o: BitLinearWeights,
    /// H × S: the state decays by `exp(-exp(log_decay))` per token.
    pub log_decay: Vec<f32>,
    /// H × S: the current token has the weight `exp(u)`.
    pub u: Vec<f32>,
    /// Token shift, D wide each.
    pub mu_r: Vec<f32>,
    pub mu_k: Vec<f32>,
    pub mu_v: Vec<f32>,
    pub mu_g: Vec<f32>,
    /// Norm of the output, one group per head; D wide.
    pub group_norm: NormWeights,
}

/// The channel mix of a layer.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "k, r, v are the names of the definition")]
pub struct ChannelMixWeights {
    /// F × D.
    pub k: BitLinearWeights,
    /// D × D.
    pub r: BitLinearWeights,
    /// D × F.
    pub v: BitLinearWeights,
    /// Token shift, D wide each.
    pub mu_k: Vec<f32>,
    pub mu_r: Vec<f32>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerWeights {
    /// Norm before the time mix.
    pub ln1: NormWeights,
    /// The time mix.
    pub time_mix: TimeMixWeights,
    /// Norm before the channel mix.
    pub ln2: NormWeights,
    /// The channel mix.
    pub channel_mix: ChannelMixWeights,
}

/// The embedding, V × D, which is also the head.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbeddingWeights {
    /// f32 rows.
    F32(Vec<f32>),
    /// INT8 rows and a scale for each.
    Int8 {
        /// V × D.
        rows: Vec<i8>,
        /// V.
        scales: Vec<f32>,
    },
}

/// A complete model.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Shapes.
    pub config: Config,
    /// Embedding and head.
    pub embedding: EmbeddingWeights,
    /// The layers; `n_layer` of them.
    pub layers: Vec<LayerWeights>,
    /// Norm before the head.
    pub ln_f: NormWeights,
}

impl Weights {
    /// The file of these weights. Weights that [`Model::parse`] would reject are not written.
    ///
    /// The version determines how the embedding is stored. From f32 to INT8 each row gets the scale `max|e| / 127` and
    /// is rounded to nearest, ties to even; from INT8 to f32 each row is multiplied by its scale. An embedding that is
    /// stored unchanged, and every other tensor, keeps its bits: a parsed file is written back byte for byte, with
    /// scalars of no dimensions and token shifts of 1 × 1 × D.
    ///
    /// # Errors
    /// [`WriteError`] names the first field with a wrong length, a weight that is not ternary or a value that is not
    /// finite, and what is wrong with it.
    pub fn write(&self, version: Version) -> Result<Vec<u8>, WriteError> {
        write::file(self, version)
    }
}

impl From<&Model<'_>> for Weights {
    fn from(model: &Model<'_>) -> Weights {
        Weights {
            config: model.config,
            embedding: (&model.embedding).into(),
            layers: model.layers.iter().map(LayerWeights::from).collect(),
            ln_f: (&model.ln_f).into(),
        }
    }
}

impl From<&Embedding<'_>> for EmbeddingWeights {
    fn from(embedding: &Embedding<'_>) -> EmbeddingWeights {
        match embedding {
            Embedding::F32(rows) => EmbeddingWeights::F32(floats(rows)),
            Embedding::Int8 { rows, scales } => EmbeddingWeights::Int8 { rows: rows.to_vec(), scales: floats(scales) },
        }
    }
}

impl From<&Layer<'_>> for LayerWeights {
    fn from(layer: &Layer<'_>) -> LayerWeights {
        LayerWeights {
            ln1: (&layer.ln1).into(),
            time_mix: (&layer.time_mix).into(),
            ln2: (&layer.ln2).into(),
            channel_mix: (&layer.channel_mix).into(),
        }
    }
}

impl From<&TimeMix<'_>> for TimeMixWeights {
    fn from(mix: &TimeMix<'_>) -> TimeMixWeights {
        TimeMixWeights {
            r: (&mix.r).into(),
            k: (&mix.k).into(),
            v: (&mix.v).into(),
            g: (&mix.g).into(),
            o: (&mix.o).into(),
            log_decay: floats(&mix.log_decay),
            u: floats(&mix.u),
            mu_r: floats(&mix.mu_r),
            mu_k: floats(&mix.mu_k),
            mu_v: floats(&mix.mu_v),
            mu_g: floats(&mix.mu_g),
            group_norm: (&mix.group_norm).into(),
        }
    }
}

impl From<&ChannelMix<'_>> for ChannelMixWeights {
    fn from(mix: &ChannelMix<'_>) -> ChannelMixWeights {
        ChannelMixWeights {
            k: (&mix.k).into(),
            r: (&mix.r).into(),
            v: (&mix.v).into(),
            mu_k: floats(&mix.mu_k),
            mu_r: floats(&mix.mu_r),
        }
    }
}

impl From<&BitLinear<'_>> for BitLinearWeights {
    fn from(linear: &BitLinear<'_>) -> BitLinearWeights {
        BitLinearWeights { weight: ternary(&linear.weight), scale: linear.scale, norm: (&linear.norm).into() }
    }
}

impl From<&Norm<'_>> for NormWeights {
    fn from(norm: &Norm<'_>) -> NormWeights {
        NormWeights { weight: floats(&norm.weight), bias: floats(&norm.bias) }
    }
}

fn floats(values: &F32s<'_>) -> Vec<f32> {
    values.iter().collect()
}

/// The weights of a matrix row by row, one i8 each.
fn ternary(matrix: &Matrix<'_>) -> Vec<i8> {
    match matrix.data {
        MatrixData::Int8(weights) => weights.to_vec(),
        MatrixData::Packed(bytes) => {
            let codes = bytes.iter().flat_map(|b| [b & 3, b >> 2 & 3, b >> 4 & 3, b >> 6]);
            // 0, 1, 2 for 0, 1, -1; 3 cannot occur in a parsed matrix.
            codes.take(matrix.rows * matrix.cols).map(|code| [0, 1, -1, 0][usize::from(code)]).collect()
        }
    }
}
