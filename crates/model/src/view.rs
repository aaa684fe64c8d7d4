//! A parsed file: named parts that borrow from its bytes.

use crate::{Config, Version};
use alloc::vec::Vec;

/// f32 values stored little-endian at any alignment.
#[derive(Debug, Clone, Copy)]
pub struct F32s<'a>(pub(crate) &'a [u8]);

impl<'a> F32s<'a> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.0.len() / 4
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f32> + 'a {
        self.0.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// Their bytes as in the file: little-endian, not aligned.
    pub fn as_le_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Values `start..start + len`.
    ///
    /// # Panics
    /// If the range is not within the values, like a slice.
    pub fn slice(&self, start: usize, len: usize) -> F32s<'a> {
        F32s(&self.0[start * 4..(start + len) * 4])
    }
}

/// Weight and bias of a normalisation.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// γ.
    pub weight: F32s<'a>,
    /// β.
    pub bias: F32s<'a>,
}

/// How the weights of a ternary matrix are stored.
#[derive(Debug, Clone, Copy)]
pub enum MatrixData<'a> {
    /// One i8 in {-1, 0, 1} per weight, row by row.
    Int8(&'a [i8]),
    /// Four weights per byte without row padding, first weight in the low bits: 00 = 0, 01 = 1, 10 = -1.
    Packed(&'a [u8]),
}

/// A ternary matrix, `rows` (out) × `cols` (in).
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Number of outputs.
    pub rows: usize,
    /// Number of inputs.
    pub cols: usize,
    /// The weights; each is guaranteed to be -1, 0 or 1.
    pub data: MatrixData<'a>,
}

impl Matrix<'_> {
    /// The weight of output `row` and input `col`.
    ///
    /// # Panics
    /// If `row · cols + col` is outside the matrix.
    pub fn get(&self, row: usize, col: usize) -> i8 {
        let at = row * self.cols + col;
        match self.data {
            MatrixData::Int8(weights) => weights[at],
            MatrixData::Packed(bytes) => match (bytes[at / 4] >> (2 * (at % 4))) & 3 {
                1 => 1,
                2 => -1,
                _ => 0,
            },
        }
    }
}

/// A BitLinear layer: `y = (W · quantise(layer_norm(x))) · scale`.
#[derive(Debug, Clone, Copy)]
pub struct BitLinear<'a> {
    /// The ternary weights.
    pub weight: Matrix<'a>,
    /// The scale of the matrix; finite.
    pub scale: f32,
    /// Norm of the input; `cols` wide.
    pub norm: Norm<'a>,
}

/// The time mix of a layer.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "r, k, v, g, o are the names of the definition")]
pub struct TimeMix<'a> {
    pub r: BitLinear<'a>,
    pub k: BitLinear<'a>,
    pub v: BitLinear<'a>,
    pub g: BitLinear<'a>,
    pub o: BitLinear<'a>,
    /// H × S: the state decays by `exp(-exp(log_decay))` per token.
    pub log_decay: F32s<'a>,
    /// H × S: the current token has the weight `exp(u)`.
    pub u: F32s<'a>,
    /// Token shift, D wide each.
    pub mu_r: F32s<'a>,
    pub mu_k: F32s<'a>,
    pub mu_v: F32s<'a>,
    pub mu_g: F32s<'a>,
    /// Norm of the output, one group per head; D wide.
    pub group_norm: Norm<'a>,
}

/// The channel mix of a layer.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "k, r, v are the names of the definition")]
pub struct ChannelMix<'a> {
    /// F × D.
    pub k: BitLinear<'a>,
    /// D × D.
    pub r: BitLinear<'a>,
    /// D × F.
    pub v: BitLinear<'a>,
    /// Token shift, D wide each.
    pub mu_k: F32s<'a>,
    pub mu_r: F32s<'a>,
}

/// One layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// Norm before the time mix.
    pub ln1: Norm<'a>,
    /// The time mix.
    pub time_mix: TimeMix<'a>,
    /// Norm before the channel mix.
    pub ln2: Norm<'a>,
    /// The channel mix.
    pub channel_mix: ChannelMix<'a>,
}

/// The embedding, V × D, which is also the head.
#[derive(Debug, Clone, Copy)]
pub enum Embedding<'a> {
    /// f32 rows.
    F32(F32s<'a>),
    /// INT8 rows and a scale for each.
    Int8 {
        /// V × D.
        rows: &'a [i8],
        /// V.
        scales: F32s<'a>,
    },
}

/// A complete model, borrowing from the bytes of its file.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    /// Version of the file.
    pub version: Version,
    /// Shapes.
    pub config: Config,
    /// Embedding and head.
    pub embedding: Embedding<'a>,
    /// The layers.
    pub layers: Vec<Layer<'a>>,
    /// Norm before the head.
    pub ln_f: Norm<'a>,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Model<'a> {
    /// The bytes of the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
