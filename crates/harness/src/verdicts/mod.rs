//! What may be said: whether a difference is a change, and what that means for the exit code.
//!
//! In: rows and counters, thresholds, accepted counters. Out: summaries, ratios with intervals, verdicts of two rounds,
//! findings of the gate, and baselines as an acceptance leaves them. It runs nothing and shows nothing.
//!
//! It uses records, definitions, targets and workspace.

pub mod baseline;
pub mod comparison;
pub mod gate;
pub mod stats;
