//! BITS model files as validated, borrowed views; presets, seeded models and a writer.
//!
//! BitStateLM is a recurrent language model (RWKV-5: one matrix state per head) whose linear layers are BitLinear
//! (BitNet b1.58: weights -1, 0, 1). [`Model::parse`] turns the bytes of a file into a [`Model`] without copying a
//! weight; [`Weights`] is an owned model that can be changed and written; [`synthetic()`] generates a model from a
//! seed.
//!
//! ```
//! use bitstate_model::{Model, Preset, Version, synthetic};
//!
//! let file = synthetic(&Preset::by_name("small")?.config(), 1, Version::V1_2);
//! let model = Model::parse(&file)?;
//! assert_eq!(model.layers.len(), model.config.n_layer);
//! // Every file is treated as hostile: an error names the field and the offset.
//! let error = Model::parse(&file[..file.len() - 1]).unwrap_err();
//! println!("{error}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The file
//! Little-endian, no padding. D = `n_embd`, H = `n_head`, S = `head_size` with D = H·S, F = D·`ff_mult`,
//! V = `vocab_size`, L = `n_layer`. Header, 52 bytes:
//!
//! | offset | type | value |
//! |---|---|---|
//! | 0 | u32 | magic `0x42495453` |
//! | 4 | u32 | version: `0x00010000` (1.0), `0x00010001` (1.1) or `0x00010002` (1.2) |
//! | 8 | u32 | number of fields: 9 |
//! | 12 | 7 × i32 | `vocab_size`, `n_layer`, `n_embd`, `n_head`, `head_size`, `ff_mult`, `max_seq_len` |
//! | 40 | 2 × i32 | `use_bitnet`, `tie_weights`: both 1 |
//! | 48 | f32 | dropout |
//!
//! Then the tensors. A tensor is `u32 ndim`, `ndim × u32` shape, data:
//!
//! | part | tensors in order | shape | data |
//! |---|---|---|---|
//! | embedding | rows | V × D | f32; i8 in 1.2 |
//! | | row scales, in 1.2 only | V | f32 |
//! | each layer | time mix r, k, v, g, o, channel mix k, r, v, each as | | |
//! | | · matrix (out × in) | D × D; channel mix k F × D, v D × F | 2 bits per weight; i8 in 1.0 |
//! | | · scale | none, or 1 | f32 |
//! | | · norm weight, norm bias | in | f32 |
//! | | ln1 weight, bias; ln2 weight, bias | D | f32 |
//! | | log_decay; u | H × S | f32 |
//! | | time mix μ r, k, v, g; channel mix μ k, r | 1 × 1 × D, or D | f32 |
//! | | group norm weight, bias | D | f32 |
//! | end | ln_f weight, bias | D | f32 |
//!
//! Nothing follows. Two bits per weight: a matrix is one contiguous array of `ceil(out · in / 4)` bytes, first weight
//! in the low bits; 00 = 0, 01 = 1, 10 = -1, and 11 is invalid. Bits after the last weight are zero.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod aligned;
mod check;
mod config;
mod error;
mod parse;
mod preset;
#[cfg(feature = "std")]
mod read;
#[cfg(feature = "std")]
mod size;
mod synthetic;
mod view;
mod weights;
mod write;

pub use aligned::{AlignedBytes, AlignedFloats};
pub use config::{Config, Version};
pub use error::{Field, ParseError, Problem, Shape, WriteError};
pub use preset::{Preset, UnknownPreset};
#[cfg(feature = "std")]
pub use read::ReadError;
pub use synthetic::synthetic;
pub use view::{BitLinear, ChannelMix, Embedding, F32s, Layer, Matrix, MatrixData, Model, Norm, TimeMix};
pub use weights::{
    BitLinearWeights, ChannelMixWeights, EmbeddingWeights, LayerWeights, NormWeights, TimeMixWeights, Weights,
};
