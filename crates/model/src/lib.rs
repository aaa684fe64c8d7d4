//! BITS model files as validated, borrowed views.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod config;
mod view;

pub use config::{Config, Version};
pub use view::{BitLinear, ChannelMix, Embedding, F32s, Layer, Matrix, MatrixData, Model, Norm, TimeMix};
