//! Firmware for an Xtensa core, run under QEMU; it contains all variants.
//!
//! The compiler's back end for this architecture is young: `crates/runners/xtensa/README.md` lists its bugs, and the
//! steps here that work around them.

mod board;
mod build;
mod kind;
mod literals;
mod toolchain;

pub use board::Board;
pub use build::RUST_FLAGS;
pub(in crate::targets::kinds) use build::{Recipe, build};
pub use toolchain::{MissingTool, MissingTools, Toolchain};
