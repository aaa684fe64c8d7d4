//! What is counted and measured: the names that runners, records and `ci/thresholds.toml` have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    Lower,
    /// Neither: it says how much was done.
    Neutral,
}

/// The metrics that rows may have, with the way that is better.
pub const METRICS: [(&str, Direction); 19] = [
    ("time", Direction::Lower),
    ("instructions", Direction::Lower),
    ("fuel", Direction::Lower),
    ("tokens", Direction::Neutral),
    ("allocations", Direction::Lower),
    ("peak_memory", Direction::Lower),
    ("linear_memory", Direction::Lower),
    ("heap_peak", Direction::Lower),
    ("stack_high_water", Direction::Lower),
    ("static", Direction::Lower),
    ("bytes", Direction::Neutral),
    ("weights", Direction::Neutral),
    // The parts of a generated token, and what reading the clock between them took.
    ("ternary", Direction::Lower),
    ("head", Direction::Lower),
    ("wkv", Direction::Lower),
    ("norms", Direction::Lower),
    ("steps", Direction::Lower),
    ("sampling", Direction::Lower),
    ("clock", Direction::Neutral),
];

/// The metrics that are compared with accepted values: a build gives the same each time. Time has an interval instead,
/// and the parts of a token are there to read.
pub const COUNTERS: [&str; 8] =
    ["instructions", "fuel", "allocations", "peak_memory", "linear_memory", "heap_peak", "stack_high_water", "static"];

/// What stands for the variant of something that all variants share.
pub const EVERY_VARIANT: &str = "all";
/// The metric of sizes of what was built.
pub const SIZE: &str = "size";

/// The parts of a generated token, as lines and records name them and as reports print them; in the order of a chart.
pub const PARTS: [(&str, &str); 6] = [
    ("ternary", "ternary matrices"),
    ("head", "head"),
    ("wkv", "WKV"),
    ("norms", "norms, token shift, quantisation"),
    ("steps", "other f32 steps"),
    ("sampling", "sampling"),
];

/// Whether a metric counts what is done, and so has steps that it is made of.
pub fn is_tick(metric: &str) -> bool {
    matches!(metric, "instructions" | "fuel")
}

/// What the kernel checks are called where a case's name stands.
pub const KERNELS: &str = "kernels";
