//! Baselines: the accepted counters in `ci/baselines/<target>.json`, with who accepted what, when and why.

mod accept;
mod file;
#[cfg(test)]
mod tests;

pub use accept::{accept, load, path};
pub use file::{Accepted, Baseline, Change, SCHEMA};
