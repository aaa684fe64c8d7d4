//! Models and sessions for JavaScript. A thin binding over the crate `bitstate`; it adds time slices, checksums of every
//! token, words as alternatives, and pictures of the state.
//!
//! Each object holds memory of the module until its `free()` is called. A call that fails throws an `Error` with a message; a
//! panic traps, and the module must be replaced.
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

/// Converts an error to a JavaScript error.
fn thrown(error: impl std::fmt::Display) -> JsError {
    JsError::new(&error.to_string())
}
