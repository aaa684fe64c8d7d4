//! What can be wrong with a model: the field, the place and the reason.

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

/// Shape of a tensor as a file states it, up to the three dimensions that the format uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of dimensions; 0 is a scalar.
    pub ndim: u32,
    /// The sizes; zeros behind the last one, and nothing but zeros where `ndim` is above 3.
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

    /// The dimensions that count.
    pub(crate) fn dims(&self) -> &[u32] {
        self.dims.get(..self.ndim as usize).unwrap_or(&[])
    }

    /// Number of values; below 2^40 for every shape that a checked config implies.
    pub(crate) fn count(&self) -> u64 {
        self.dims().iter().fold(1, |n: u64, &d| n.saturating_mul(d.into()))
    }
}

/// A size as a file writes it; sizes of a checked config always fit.
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
        /// Bytes that the file has from the offset on.
        has: usize,
    },
    /// The file does not start as a BITS file does.
    #[error("is {found:#010x}, not {expected:#010x}; this is not a BITS file")]
    BadMagic {
        /// What stands there.
        found: u32,
        /// What every BITS file starts with.
        expected: u32,
    },
    /// A version that this reader does not know.
    #[error("is {found:#010x}; known are 0x00010000 (1.0), 0x00010001 (1.1) and 0x00010002 (1.2)")]
    UnknownVersion {
        /// What stands there.
        found: u32,
    },
    /// The header is not made of nine fields.
    #[error("is {found}; versions 1.0 to 1.2 have 9 header fields")]
    FieldCount {
        /// What stands there.
        found: u32,
    },
    /// A size below one or above any that a model can have.
    #[error("is {found}; it must lie in 1..={max}")]
    SizeOutOfRange {
        /// The size.
        found: i64,
        /// The largest that is accepted.
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
        /// What stands there.
        found: i32,
    },
    /// The head is not the embedding.
    #[error("is {found}, not 1; an untied head cannot be read: train with tie_weights on")]
    UntiedHead {
        /// What stands there.
        found: i32,
    },
    /// The tensor has another shape than the config implies.
    #[error("has the shape {found}; the header implies {expected}")]
    WrongShape {
        /// What the config implies.
        expected: Shape,
        /// What the tensor says.
        found: Shape,
    },
    /// Another number of values than the config implies.
    #[error("has {found} values; the config implies {expected}")]
    WrongLength {
        /// What the config implies.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// NaN or an infinity.
    #[error("value {index} is not finite; the model diverged in training or the file is damaged")]
    NotFinite {
        /// Which value of the field.
        index: usize,
    },
    /// A weight outside {-1, 0, 1}.
    #[error("weight {index} is {value}; ternary weights are -1, 0 or 1")]
    NotTernary {
        /// Which weight, row by row.
        index: usize,
        /// Its value.
        value: i8,
    },
    /// The 2-bit code 11, which stands for no weight.
    #[error("weight {index} has the 2-bit code 11, which stands for no weight; the file is damaged")]
    InvalidCode {
        /// Which weight, row by row.
        index: usize,
    },
    /// Bits behind the last weight of a packed matrix are set.
    #[error("the last byte is {byte:#04x}; its bits behind the last weight must be zero")]
    SpareBits {
        /// The byte.
        byte: u8,
    },
    /// Bytes behind the last tensor.
    #[error("{count} bytes follow the last tensor; nothing may: the header does not describe this file")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
}

/// Why bytes are not a BITS file that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field} (byte {offset}): {problem}")]
pub struct ParseError {
    /// The part of the file.
    pub field: Field,
    /// Where in the file: the first byte of what is wrong.
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
