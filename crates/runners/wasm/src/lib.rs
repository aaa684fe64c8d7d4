//! The suite as a WebAssembly guest.
//!
//! The host puts the model and the request where `reserve` says and calls `run`,
//! which gives 0 when every job succeeded, 1 when one failed, 2 when nothing could be run. The guest asks its host
//! for three things: a clock and what it counts, and a place for its lines. On any other architecture this crate is
//! empty, so that the workspace can be checked as a whole.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod guest;
