//! The definitions people edit: `ci/*.toml` and `golden/`, read strictly.
//!
//! In: the text of those files. Out: metrics, workloads, thresholds, expected skips, golden cases with their streams,
//! and the result of a selection. An error names the file, the line and the nearest valid word. The targets themselves,
//! `ci/targets.toml`, are read by the room `targets`, which knows their kinds.
//!
//! It uses targets and workspace.

pub mod expected;
pub mod golden;
pub mod metrics;
pub mod select;
pub mod thresholds;
pub mod workloads;
