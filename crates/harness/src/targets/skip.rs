//! Why a cell did not run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of reasons for a skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The model does not fit the target's memory.
    Memory,
    /// This CPU lacks features that the variant needs.
    Cpu,
    /// A tool is not installed.
    Tools,
    /// The counting or measuring tool does not support this variant.
    Unsupported,
    /// The two sides of a comparison run different requests.
    NotComparable,
    /// No machine that can run this variant has accepted its counters.
    Unaccepted,
}

/// A cell or workload that did not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The kind of reason.
    pub cause: Cause,
    /// The reason as text.
    pub reason: String,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped({})", self.reason)
    }
}
