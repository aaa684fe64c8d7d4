//! Errors in a model: the field, the offset and the reason.

use core::fmt;
use thiserror::Error;

/// A part of a BITS file, written as `header.n_head`, `embedding` or `layers[2].time_mix.k.weight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    layer: Option<usize>,
    part: &'static str,
    leaf: &'static str,
}

impl Field {
    /// `part`, outside the layers.
    pub(crate) fn new(part: &'static str) -> Field {
        Field { layer: None, part, leaf: "" }
    }

    /// `header.name`.
    pub(crate) fn header(name: &'static str) -> Field {
        Field { layer: None, part: "header", leaf: name }
    }

    /// `layers[layer].part`.
    pub(crate) fn layer(layer: usize, part: &'static str) -> Field {
        Field { layer: Some(layer), part, leaf: "" }
    }

    /// `self.leaf`.
    pub(crate) fn leaf(self, leaf: &'static str) -> Field {
        Field { leaf, ..self }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "layers[{layer}].")?;
        }
        f.write_str(self.part)?;
        if self.leaf.is_empty() { Ok(()) } else { write!(f, ".{}", self.leaf) }
    }
}

/// Shape of a tensor as stated in a file, up to the three dimensions that the format uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of dimensions; 0 is a scalar.
    pub ndim: u32,
    /// The sizes; zeros after the last one, and only zeros if `ndim` is above 3.
    pub dims: [u32; 3],
}

impl Shape {
    pub(crate) const SCALAR: Shape = Shape { ndim: 0, dims: [0; 3] };

    /// `n` values in one dimension.
    pub(crate) fn vector(n: usize) -> Shape {
        Shape { ndim: 1, dims: [dim(n), 0, 0] }
    }

    /// `rows × cols`.
    pub(crate) fn matrix(rows: usize, cols: usize) -> Shape {
        Shape { ndim: 2, dims: [dim(rows), dim(cols), 0] }
    }

    /// `1 × 1 × n`, as token shifts are stored.
    pub(crate) fn token_shift(n: usize) -> Shape {
        Shape { ndim: 3, dims: [1, 1, dim(n)] }
    }

    /// The dimensions in use.
    pub(crate) fn dims(&self) -> &[u32] {
        self.dims.get(..self.ndim as usize).unwrap_or(&[])
    }

    /// Number of values; below 2^40 for every shape that a checked config implies.
    pub(crate) fn count(&self) -> u64 {
        self.dims().iter().fold(1, |n: u64, &d| n.saturating_mul(d.into()))
    }
}

/// A size as stored in a file; sizes of a checked config always fit.
fn dim(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dims() {
            [] if self.ndim == 0 => f.write_str("a scalar"),
            [] => write!(f, "{} dimensions", self.ndim),
            [a] => write!(f, "{a} values"),
            [a, rest @ ..] => {
                write!(f, "{a}")?;
                rest.iter().try_for_each(|d| write!(f, "×{d}"))
            }
        }
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file ends inside the field.
    #[error("needs {needs} bytes here but the file has only {has} left; it was cut short or its header is wrong")]
    Truncated {
        /// Bytes that the field needs from the offset on.
        needs: u64,
        /// Remaining bytes in the file from the offset on.
        has: usize,
    },
    /// The file does not start like a BITS file.
    #[error("is {found:#010x}, not {expected:#010x}; this is not a BITS file")]
    BadMagic {
        /// The value in the file.
        found: u32,
        /// The first word of every BITS file.
        expected: u32,
    },
    /// A version that this reader does not support.
    #[error("is {found:#010x}; supported versions are 0x00010000 (1.0), 0x00010001 (1.1) and 0x00010002 (1.2)")]
    UnknownVersion {
        /// The value in the file.
        found: u32,
    },
    /// The header does not have nine fields.
    #[error("is {found}; versions 1.0 to 1.2 have 9 header fields")]
    FieldCount {
        /// The value in the file.
        found: u32,
    },
    /// A size below one or above any possible model's.
    #[error("is {found}; it must be in 1..={max}")]
    SizeOutOfRange {
        /// The size.
        found: i64,
        /// The largest accepted size.
        max: i64,
    },
    /// `n_embd` is not `n_head · head_size`.
    #[error("is {n_embd}, but n_head · head_size = {n_head} · {head_size}; the heads must cover the embedding exactly")]
    HeadsDoNotCover {
        /// D.
        n_embd: usize,
        /// H.
        n_head: usize,
        /// S.
        head_size: usize,
    },
    /// The linear layers are not BitLinear.
    #[error("is {found}, not 1; only models with BitNet (ternary) linear layers can be read: train with use_bitnet on")]
    NotBitNet {
        /// The value in the file.
        found: i32,
    },
    /// The head is not the embedding.
    #[error("is {found}, not 1; an untied head cannot be read: train with tie_weights on")]
    UntiedHead {
        /// The value in the file.
        found: i32,
    },
    /// The shape of the tensor differs from that implied by the config.
    #[error("has the shape {found}; the header implies {expected}")]
    WrongShape {
        /// The shape implied by the config.
        expected: Shape,
        /// The shape in the file.
        found: Shape,
    },
    /// The number of values differs from that implied by the config.
    #[error("has {found} values; the config implies {expected}")]
    WrongLength {
        /// The number implied by the config.
        expected: usize,
        /// The actual number.
        found: usize,
    },
    /// NaN or an infinity.
    #[error("value {index} is not finite; the model diverged in training or the file is damaged")]
    NotFinite {
        /// Index of the value in the field.
        index: usize,
    },
    /// A weight outside {-1, 0, 1}.
    #[error("weight {index} is {value}; ternary weights are -1, 0 or 1")]
    NotTernary {
        /// Index of the weight, row by row.
        index: usize,
        /// Its value.
        value: i8,
    },
    /// The 2-bit code 11, which is not a weight.
    #[error("weight {index} has the 2-bit code 11, which is not a weight; the file is damaged")]
    InvalidCode {
        /// Index of the weight, row by row.
        index: usize,
    },
    /// Bits after the last weight of a packed matrix are set.
    #[error("the last byte is {byte:#04x}; its bits after the last weight must be zero")]
    SpareBits {
        /// The byte.
        byte: u8,
    },
    /// Bytes after the last tensor.
    #[error("{count} bytes follow the last tensor, which must end the file; its header is wrong")]
    TrailingBytes {
        /// Their number.
        count: usize,
    },
}

/// Why bytes are not a usable BITS file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field} (byte {offset}): {problem}")]
pub struct ParseError {
    /// The part of the file.
    pub field: Field,
    /// Offset in the file of the first wrong byte.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Why weights cannot be written as a BITS file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub struct WriteError {
    /// The part of the weights.
    pub field: Field,
    /// What is wrong with it.
    pub problem: Problem,
}
