//! What is followed from run to run.

use crate::report::tables::numbers::{bytes, number, percent};
use serde::{Deserialize, Serialize};

/// A quantity that is followed: its name, its unit, and whether two runs may be compared by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Tokens a second of decode.
    Speed,
    /// The bandwidth of decode over the roof of the same run.
    Share,
    /// Instructions of a generated token, counted by the emulator.
    Instructions,
    /// Fuel of a generated token.
    Fuel,
    /// Peak memory where it is exact.
    Memory,
    /// Bytes of machine code.
    Code,
    /// Instructions of a decode, counted by callgrind.
    Callgrind,
}

impl Quantity {
    /// Its name for readers.
    pub fn title(self) -> &'static str {
        match self {
            Quantity::Speed => "decode, tokens/s",
            Quantity::Share => "decode, % of the roof",
            Quantity::Instructions => "instructions/token",
            Quantity::Fuel => "fuel/token",
            Quantity::Memory => "peak memory",
            Quantity::Code => "size of code",
            Quantity::Callgrind => "decode instructions",
        }
    }

    /// A value in words.
    pub fn show(self, value: f64) -> String {
        match self {
            Quantity::Share => percent(value),
            Quantity::Memory | Quantity::Code => bytes(value),
            _ => number(value),
        }
    }

    /// A value as an axis has it.
    pub fn on_axis(self, value: f64) -> f64 {
        if self == Quantity::Share { 100.0 * value } else { value }
    }
}

/// A number of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What it is.
    pub quantity: Quantity,
    /// Target.
    pub target: String,
    /// Variant, or `all`.
    pub variant: String,
    /// Case, or the artifact of a size.
    pub workload: String,
    /// The value.
    pub value: f64,
    /// What must be the same for a comparison; none where nothing makes it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Point {
    /// What tells it from the others of its run.
    pub fn name(&self) -> (Quantity, &str, &str, &str) {
        (self.quantity, &self.target, &self.variant, &self.workload)
    }

    /// The change from an earlier point as a ratio, where the two may be compared.
    pub fn change(&self, earlier: &Point) -> Option<f64> {
        let comparable = self.key.is_some() && self.key == earlier.key && earlier.value > 0.0;
        comparable.then(|| self.value / earlier.value)
    }
}

/// A published run, or an acceptance of counters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastRun {
    /// Its name, or why the counters were accepted.
    pub name: String,
    /// When it started, UTC, ISO 8601.
    pub started: String,
    /// Commit, short, with a mark if the tree had changes beside it.
    pub commit: String,
    /// The machines, in words; empty where none was told.
    pub machine: String,
    /// What is followed of it.
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

/// A published run that cannot be looked back on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Its folder.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What a page looks back on, the oldest first; the last run is the page's own.
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
    /// Whether there is nothing to look back on: this run alone is no history.
    pub fn is_empty(&self) -> bool {
        self.runs.len() < 2 && self.accepted.is_empty() && self.left_out.is_empty()
    }
}
