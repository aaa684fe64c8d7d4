//! Verdicts: whether a difference is a change, and the exit code that follows.
//!
//! In: rows and counters, thresholds, baselines. Out: summaries, ratios with intervals, verdicts of two rounds,
//! findings of the gate, and updated baselines. It runs nothing and shows nothing.
//!
//! It uses records, definitions, targets and workspace.

pub mod baseline;
pub mod comparison;
pub mod gate;
pub mod stats;
