//! The header of a BITS file.

use crate::error::{Field, Problem, WriteError};
use core::fmt;

/// Shapes of a model. `n_embd = n_head · head_size`, all above zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// V: number of tokens.
    pub vocab_size: usize,
    /// L: number of layers.
    pub n_layer: usize,
    /// D: width of the residual stream.
    pub n_embd: usize,
    /// H: number of heads.
    pub n_head: usize,
    /// S: width of a head.
    pub head_size: usize,
    /// F / D: how much wider the channel mix is.
    pub ff_mult: usize,
    /// Longest sequence seen in training; nothing at run time depends on it.
    pub max_seq_len: usize,
    /// Dropout in training; nothing at run time depends on it.
    pub dropout: f32,
}

impl Config {
    /// F: width of the channel mix.
    pub fn ff_dim(&self) -> usize {
        self.n_embd * self.ff_mult
    }

    /// The sizes in header order.
    pub(crate) fn sizes(&self) -> [usize; 7] {
        let Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len, .. } = *self;
        [vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len]
    }

    /// Checks whether such a model is possible.
    ///
    /// # Errors
    /// Names the first invalid value.
    pub fn validate(&self) -> Result<(), WriteError> {
        self.check().map_err(|(field, problem)| WriteError { field, problem })
    }

    /// Names the first invalid value.
    pub(crate) fn check(&self) -> Result<(), (Field, Problem)> {
        for (limit, size) in SIZES.iter().zip(self.sizes()) {
            limit.check(i64::try_from(size).unwrap_or(i64::MAX))?;
        }
        self.check_heads()?;
        self.check_dropout()
    }

    /// Whether the heads cover the embedding; the sizes are already checked.
    pub(crate) fn check_heads(&self) -> Result<(), (Field, Problem)> {
        let Config { n_embd, n_head, head_size, .. } = *self;
        if n_head.checked_mul(head_size) == Some(n_embd) {
            return Ok(());
        }
        Err((Field::header("n_embd"), Problem::HeadsDoNotCover { n_embd, n_head, head_size }))
    }

    /// Whether dropout is finite.
    pub(crate) fn check_dropout(&self) -> Result<(), (Field, Problem)> {
        if self.dropout.is_finite() {
            return Ok(());
        }
        Err((Field::header("dropout"), Problem::NotFinite { index: 0 }))
    }
}

/// A size of the header and the largest accepted value.
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    max: i64,
}

impl Limit {
    const fn new(name: &'static str, max: i64) -> Limit {
        Limit { name, max }
    }

    /// Whether `found` is in `1..=max`.
    pub(crate) fn check(&self, found: i64) -> Result<(), (Field, Problem)> {
        if (1..=self.max).contains(&found) {
            return Ok(());
        }
        Err((Field::header(self.name), Problem::SizeOutOfRange { found, max: self.max }))
    }
}

/// The sizes in header order.
///
/// The limits are far above any real model. They keep every tensor below 2^40 values and, with F ≤ 2^24, every sum of F
/// products of a ternary weight and an INT8 activation within i32.
pub(crate) const SIZES: [Limit; 7] = [
    Limit::new("vocab_size", 1 << 24),
    Limit::new("n_layer", 1 << 12),
    Limit::new("n_embd", 1 << 16),
    Limit::new("n_head", 1 << 16),
    Limit::new("head_size", 1 << 16),
    Limit::new("ff_mult", 1 << 8),
    Limit::new("max_seq_len", i32::MAX as i64),
];

/// Version of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// f32 embedding, matrices with one i8 per weight.
    V1_0,
    /// f32 embedding, matrices with 2 bits per weight.
    V1_1,
    /// INT8 embedding with a scale per row, matrices with 2 bits per weight.
    V1_2,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Version; 3] = [Version::V1_0, Version::V1_1, Version::V1_2];

    /// Its number in a file.
    pub fn code(self) -> u32 {
        match self {
            Version::V1_0 => 0x0001_0000,
            Version::V1_1 => 0x0001_0001,
            Version::V1_2 => 0x0001_0002,
        }
    }

    /// The version with this number in a file, if there is one.
    pub fn from_code(code: u32) -> Option<Version> {
        Version::ALL.into_iter().find(|v| v.code() == code)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V1_0 => "1.0",
            Version::V1_1 => "1.1",
            Version::V1_2 => "1.2",
        })
    }
}
