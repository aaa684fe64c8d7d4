//! Valid files as a starting point.
#![allow(dead_code, reason = "each test file uses a part")]

use bitstate_model::{Config, Version, synthetic};

/// D = F = 3: small enough to try every byte, and matrices of 9 weights, which do not fill their last byte.
pub const TINY: Config =
    Config { vocab_size: 5, n_layer: 2, n_embd: 3, n_head: 1, head_size: 3, ff_mult: 1, max_seq_len: 8, dropout: 0.0 };

/// A file of [`TINY`].
pub fn tiny(version: Version) -> Vec<u8> {
    synthetic(&TINY, 1, version)
}
