//! The quantities tracked from run to run.

use crate::report::tables::numbers::{bytes, number, percent};
use serde::{Deserialize, Serialize};

/// A tracked quantity: its name, its unit, and whether two runs are comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Tokens a second of decode.
    Speed,
    /// The bandwidth of decode over the roof of the same run.
    Share,
    /// Instructions per generated token, counted by the emulator.
    Instructions,
    /// Fuel per generated token.
    Fuel,
    /// Peak memory, if it is exact.
    Memory,
    /// Bytes of machine code.
    Code,
    /// Instructions of a decode, counted by callgrind.
    Callgrind,
}

impl Quantity {
    /// Its name in reports.
    pub fn title(self) -> &'static str {
        match self {
            Quantity::Speed => "decode, tokens/s",
            Quantity::Share => "decode, % of the roof",
            Quantity::Instructions => "instructions/token",
            Quantity::Fuel => "fuel/token",
            Quantity::Memory => "peak memory",
            Quantity::Code => "code size",
            Quantity::Callgrind => "decode instructions",
        }
    }

    /// A value as text.
    pub fn show(self, value: f64) -> String {
        match self {
            Quantity::Share => percent(value),
            Quantity::Memory | Quantity::Code => bytes(value),
            _ => number(value),
        }
    }

    /// A value in the unit of the axis.
    pub fn on_axis(self, value: f64) -> f64 {
        if self == Quantity::Share { 100.0 * value } else { value }
    }
}

/// A number of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Its quantity.
    pub quantity: Quantity,
    /// Target.
    pub target: String,
    /// Variant, or `all`.
    pub variant: String,
    /// Case, or the artifact of a size.
    pub workload: String,
    /// The value.
    pub value: f64,
    /// Values that must match for a comparison; none if it is never comparable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Point {
    /// The names that identify it within its run.
    pub fn name(&self) -> (Quantity, &str, &str, &str) {
        (self.quantity, &self.target, &self.variant, &self.workload)
    }

    /// The change from an earlier point as a ratio, if the two are comparable.
    pub fn change(&self, earlier: &Point) -> Option<f64> {
        let comparable = self.key.is_some() && self.key == earlier.key && earlier.value > 0.0;
        comparable.then(|| self.value / earlier.value)
    }
}

/// A published run, or an acceptance of counters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastRun {
    /// Its name, or the reason for accepting the counters.
    pub name: String,
    /// When it started, UTC, ISO 8601.
    pub started: String,
    /// Commit, abbreviated, with a mark if the tree had local changes.
    pub commit: String,
    /// The machines; empty if unknown.
    pub machine: String,
    /// Its tracked values.
    pub points: Vec<Point>,
}

impl PastRun {
    /// The point of a name.
    pub fn find(&self, name: (Quantity, &str, &str, &str)) -> Option<&Point> {
        self.points.iter().find(|point| point.name() == name)
    }

    /// Its date.
    pub fn date(&self) -> &str {
        self.started.get(..10).unwrap_or(&self.started)
    }
}

/// A published run that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Its folder.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// The history on a page, the oldest run first; the last run is the page's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Published runs and this one.
    pub runs: Vec<PastRun>,
    /// Accepted counters of native code, which only callgrind counts.
    pub accepted: Vec<PastRun>,
    /// Published runs that could not be read.
    pub left_out: Vec<LeftOut>,
}

impl History {
    /// Whether there is no earlier run.
    pub fn is_empty(&self) -> bool {
        self.runs.len() < 2 && self.accepted.is_empty() && self.left_out.is_empty()
    }
}
