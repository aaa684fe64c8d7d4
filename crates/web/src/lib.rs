//! Models and sessions for JavaScript. A thin binding over the crate `bitstate`: what it adds is slices of time, checksums of
//! every token, words as alternatives, and pictures of the state.
//!
//! Each class holds memory of the module until its `free()` is called. A call that fails throws an `Error` with a
//! sentence; a panic ends the module, and whoever runs it makes a new one.
#![forbid(unsafe_code)]

mod alternatives;
mod checks;
mod model;
mod picture;
mod sampling;
mod session;

pub use alternatives::Alternative;
pub use model::Model;
pub use sampling::Sampling;
pub use session::{Batch, Session};

use wasm_bindgen::JsError;

/// An error as JavaScript gets it.
fn thrown(error: impl std::fmt::Display) -> JsError {
    JsError::new(&error.to_string())
}
