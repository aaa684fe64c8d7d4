//! The suite as a WebAssembly guest.
//!
//! The host writes the model and the request to the addresses that `reserve` returns, and calls `run`, which returns 0
//! if every job succeeded, 1 if one failed, 2 if nothing could be run. The guest imports three functions: a clock, its
//! unit, and an output for lines. On any other architecture this crate is empty, so that the whole workspace can be
//! checked.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod guest;
