//! The folders of runs: their contents, which are published, which one the README shows, whether all is current.

pub mod check;
mod files;
pub mod kept;
mod leftover;
pub mod place;
pub mod shown;
pub mod site;
pub(in crate::report) mod stored;

pub use files::{outdated, read, render, write};
pub use leftover::Holds;
pub use stored::folders as published;
