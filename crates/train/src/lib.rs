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
#![deny(unsafe_code)]

pub mod checkpoint;
pub mod config;
pub mod data;
mod error;
pub mod export;
mod file;
pub mod kernels;
pub mod net;
pub mod ops;
pub mod optim;
pub mod params;
mod train;

pub use error::Error;
pub use train::{Event, Trainer};
