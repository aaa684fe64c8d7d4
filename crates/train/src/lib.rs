//! Training of BitStateLM: from text to a BITS file.
//!
//! ```text
//! data ──→ token files ─→ windows ─┐
//!                                  ├─→ net (ops over kernels) ─→ loss ─→ gradients ─→ optim ─→ params
//! train.toml ─→ config ────────────┘                                                   │
//!                                    checkpoint (safetensors) ←────────────────────────┘──→ export (BITS)
//! ```
//!
//! Burn provides autodiff and matrix products ([`ops`]); everything that is bound by memory is a fused kernel with its
//! own backward pass ([`kernels`]). The optimiser and the checkpoints work on plain numbers ([`params`]). [`import`]
//! converts checkpoints with PyTorch tensor names to the same BITS files; [`quality`] computes the loss of a model on a
//! text.
//!
//! ```
//! use bitstate_train::config::TrainConfig;
//!
//! let text = "data = 'data'\nout = 'run'\nsteps = 3000\n[model]\npreset = 'byte'\n";
//! assert_eq!(TrainConfig::parse(text)?.steps, 3000);
//! // A misspelt key is an error that names the nearest one.
//! let error = TrainConfig::parse(&format!("{text}[optimizer]\nwarm_up = 100\n")).unwrap_err();
//! assert!(error.contains("did you mean `warmup`?"));
//! # Ok::<(), String>(())
//! ```
//!
//! [`Trainer`] runs such a configuration on the token files of [`data::prepare`].
#![deny(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "whoever runs the trainer prints")]

mod chart;
pub mod checkpoint;
pub mod config;
pub mod confusion;
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
