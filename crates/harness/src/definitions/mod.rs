//! What people define: `ci/*.toml` and `golden/`, read strictly.
//!
//! In: the text of those files. Out: metrics, workloads, thresholds, the skips that may happen, golden cases with their
//! streams, and what a selection picks. An error names the file, the line and the nearest right word. The targets
//! themselves, `ci/targets.toml`, are read where their kinds are known: in the room `targets`.
//!
//! It uses targets and workspace.

pub mod expected;
pub mod golden;
pub mod metrics;
pub mod select;
pub mod thresholds;
pub mod workloads;
