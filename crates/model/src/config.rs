//! The header of a BITS file.

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
}

/// Version of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// f32 embedding, matrices as one i8 a weight.
    V1_0,
    /// f32 embedding, matrices of 2 bits a weight.
    V1_1,
    /// INT8 embedding with a scale per row, matrices of 2 bits a weight.
    V1_2,
}
