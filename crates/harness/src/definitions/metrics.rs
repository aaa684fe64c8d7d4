//! The metric names that runners, records and `ci/thresholds.toml` share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which direction is an improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    Lower,
    /// Neither: it is an amount of work.
    Neutral,
}

/// The metrics that rows may have, each with its direction.
pub const METRICS: [(&str, Direction); 25] = [
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
    // Bytes of weights copied into memory that is otherwise free; not part of the peaks.
    ("weight_copies", Direction::Neutral),
    ("bytes", Direction::Neutral),
    ("weights", Direction::Neutral),
    // The parts of a generated token, and the cost of reading the clock between them.
    ("ternary", Direction::Lower),
    ("head", Direction::Lower),
    ("wkv", Direction::Lower),
    ("norms", Direction::Lower),
    ("steps", Direction::Lower),
    ("sampling", Direction::Lower),
    ("clock", Direction::Neutral),
    // What modelled caches in front of slow memory do while tokens are generated.
    ("watched_instructions", Direction::Neutral),
    ("cache_accesses", Direction::Neutral),
    ("cache_misses", Direction::Lower),
    ("cache_write_backs", Direction::Lower),
    ("code_misses", Direction::Lower),
];

/// The metrics compared with a baseline: the same build gives the same value each time. Time has an interval instead,
/// and the parts of a token are informational.
pub const COUNTERS: [&str; 8] =
    ["instructions", "fuel", "allocations", "peak_memory", "linear_memory", "heap_peak", "stack_high_water", "static"];

/// In place of a variant's name: the value is shared by all variants.
pub const EVERY_VARIANT: &str = "all";
/// The metric for sizes of build artifacts.
pub const SIZE: &str = "size";

/// The parts of a generated token: the name in records and the title in reports, in the order of a chart.
pub const PARTS: [(&str, &str); 6] = [
    ("ternary", "ternary matrices"),
    ("head", "head"),
    ("wkv", "WKV"),
    ("norms", "norms, token shift, quantisation"),
    ("steps", "other f32 steps"),
    ("sampling", "sampling"),
];

/// Whether a metric counts work, and so splits into steps.
pub fn is_tick(metric: &str) -> bool {
    matches!(metric, "instructions" | "fuel")
}

/// The name of the kernel checks, in place of a case's name.
pub const KERNELS: &str = "kernels";
/// The name of the check of sessions, in place of a case's name.
pub const SESSIONS: &str = "sessions";
