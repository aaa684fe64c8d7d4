//! Training of BitStateLM: from text to a BITS file.
//!
//! ```text
//! data ──→ token files ─→ windows ─┐
//!                                  ├─→ net (ops over kernels) ─→ loss ─→ gradients ─→ optim ─→ params
//! train.toml ─→ config ────────────┘                                                   │
//!                                    checkpoint (safetensors) ←────────────────────────┘──→ export (BITS)
//! ```
//!
//! Burn is the autodiff and the matrix product ([`ops`]); everything that costs memory traffic is a fused kernel with a
//! backward pass of its own ([`kernels`]). The optimiser and the checkpoints work on plain numbers ([`params`]).
//! [`import`] makes the same BITS files of checkpoints in PyTorch's manner; [`quality`] says what a text costs a model.
#![deny(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "whoever runs the trainer prints")]

mod chart;
pub mod checkpoint;
pub mod config;
pub mod curriculum;
pub mod data;
mod error;
pub mod export;
mod file;
pub mod import;
pub mod kernels;
mod log;
pub mod net;
pub mod ops;
pub mod optim;
pub mod params;
pub mod quality;
mod sample;
mod tensors;
mod train;
mod workers;

pub use error::Error;
pub use file::{TOKENIZER_LIMIT, write_atomically};
pub use log::Event;
pub use train::Trainer;
