//! All contents of a report in one structure; pages, tables and charts are made from it alone.

use super::measurements::{CODE_LINES, Measurement, WITH_WAITS, summarise};
use super::peers::{self, Peer};
use crate::records::provenance::Provenance;
use crate::records::{Part, Row, Tally};
use crate::report::history::points::History;
use crate::targets::skip::Cause;
use crate::targets::{Cache, Clock, Target, clock_model, targets};
use crate::verdicts::comparison::{self, Comparison};
use crate::verdicts::stats::Summary;
use serde::{Deserialize, Serialize};

/// Version of the JSON format. The rows have a version of their own.
pub const SCHEMA: u64 = 1;

/// All contents of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u64,
    /// The provenance; that of the first part if it was merged.
    pub provenance: Provenance,
    /// The reports of the merged runs, which then hold all measurements; otherwise empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Report>,
    /// Published runs before this one, and this one.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    pub history: History,
    /// Verified cases.
    pub passed: usize,
    /// Failures.
    pub failed: usize,
    /// Skips.
    pub skipped: usize,
    /// Summaries of the measurements.
    pub measurements: Vec<Measurement>,
    /// Comparisons of two sides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// Other engines measured beside this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
    /// Sizes of build artifacts.
    pub artifacts: Vec<Artifact>,
    /// The kernels chosen for the models' shapes.
    #[serde(default)]
    pub layouts: Vec<Layout>,
    /// Skips.
    pub skips: Vec<Skipped>,
    /// Failures.
    pub failures: Vec<Failure>,
}

/// A size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Target.
    pub target: String,
    /// Variant, where each has its own artifact.
    pub variant: Option<String>,
    /// File or image.
    pub name: String,
    /// Section, or `file` for the whole.
    pub section: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// The kernel that a cell chooses for a shape of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Target.
    pub target: String,
    /// Variant.
    pub variant: String,
    /// Name of the model.
    pub model: String,
    /// The step that uses the matrix.
    pub matrix: String,
    /// Outputs.
    pub rows: u64,
    /// Inputs.
    pub cols: u64,
    /// How many of it a token goes through, where the run says so.
    pub count: Option<u64>,
    /// The algorithm.
    pub kernel: String,
    /// How rows that do not fill a block are computed.
    pub row_tail: String,
    /// How columns that do not fill a block are computed.
    pub col_tail: String,
}

/// A skip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// Target.
    pub target: String,
    /// Variant.
    pub variant: String,
    /// Case; none for all of them.
    pub workload: Option<String>,
    /// Kind of reason.
    pub cause: Cause,
    /// Reason.
    pub reason: String,
    /// Whether `ci/expected.toml` lists it.
    pub expected: bool,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Target.
    pub target: String,
    /// Variant.
    pub variant: String,
    /// Case; none for the whole cell.
    pub workload: Option<String>,
    /// `build`, `verify` or `bench`.
    pub during: String,
    /// What happened.
    pub error: String,
}

impl Report {
    /// Summarises rows.
    pub fn of(provenance: Provenance, rows: &[Row]) -> Self {
        let tally = Tally::of(rows);
        let comparisons = provenance.time_limits.map_or(Vec::new(), |limits| comparison::of(rows, limits));
        let mut report = Report {
            schema: SCHEMA,
            provenance,
            parts: Vec::new(),
            history: History::default(),
            passed: tally.passed,
            failed: tally.failed,
            skipped: tally.skipped,
            measurements: summarise(rows),
            comparisons,
            peers: peers::of(rows),
            artifacts: Vec::new(),
            layouts: Vec::new(),
            skips: Vec::new(),
            failures: Vec::new(),
        };
        for row in rows.iter().cloned() {
            match row {
                Row::Artifact { target, variant, name, section, bytes } => {
                    report.artifacts.push(Artifact { target, variant, name, section, bytes });
                }
                Row::Layout { target, variant, model, matrix, rows, cols, count, kernel, row_tail, col_tail } => {
                    let layout =
                        Layout { target, variant, model, matrix, rows, cols, count, kernel, row_tail, col_tail };
                    report.layouts.push(layout);
                }
                Row::Skipped { target, variant, workload, cause, reason, expected } => {
                    let skip = Skipped { target, variant, workload, cause, reason, expected };
                    // Verifying and measuring are skipped for the same reason.
                    if !report.skips.contains(&skip) {
                        report.skips.push(skip);
                    }
                }
                Row::Failed { target, variant, workload, during, error, .. } => {
                    report.failures.push(Failure { target, variant, workload, during, error });
                }
                Row::Run(_) | Row::Sample { .. } | Row::Pair { .. } | Row::Peer { .. } | Row::Verified { .. } => {}
            }
        }
        report
    }

    /// Summarises runs: one, or several merged ones, each separately.
    pub fn of_parts(parts: &[Part]) -> Self {
        let mut reports: Vec<Report> =
            parts.iter().map(|part| Report::of(part.provenance.clone(), &part.rows)).collect();
        if reports.len() == 1 {
            return reports.remove(0);
        }
        let sum = |count: fn(&Report) -> usize| reports.iter().map(count).sum();
        let first = reports.first().map(|report| report.provenance.clone()).unwrap_or_default();
        Report {
            passed: sum(|report| report.passed),
            failed: sum(|report| report.failed),
            skipped: sum(|report| report.skipped),
            parts: reports,
            ..Report::of(first, &[])
        }
    }

    /// The runs of the report: itself, or its parts.
    pub fn each(&self) -> &[Report] {
        if self.parts.is_empty() { std::slice::from_ref(self) } else { &self.parts }
    }

    /// The summary of one quantity.
    pub fn find(&self, cell: (&str, &str), workload: &str, phase: &str, metric: &str) -> Option<&Summary> {
        let found = self.measurements.iter().find(|m| {
            (m.target.as_str(), m.variant.as_str()) == cell
                && (m.workload.as_str(), m.phase.as_str(), m.metric.as_str()) == (workload, phase, metric)
        });
        found.map(|measurement| &measurement.summary)
    }

    /// The workloads measured, in order of first appearance, without single kernels.
    pub fn workloads(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for measurement in self.measurements.iter().filter(|measurement| measurement.phase != "kernel") {
            if !names.contains(&measurement.workload.as_str()) {
                names.push(&measurement.workload);
            }
        }
        names
    }

    /// Whether a target has any data: numbers, sizes, or the reason why there are none.
    pub fn has(&self, target: &str) -> bool {
        self.measurements.iter().any(|m| m.target == target)
            || self.artifacts.iter().any(|artifact| artifact.target == target)
            || self.skips.iter().any(|skip| skip.target == target)
            || self.failures.iter().any(|failure| failure.target == target)
    }

    /// The clock model that converts counted instructions to time, without waits for memory, as text.
    pub fn assumption(&self) -> String {
        format!("{}, no wait for memory or cache", clock_model(&|name| self.has(name)))
    }

    /// The emulated targets of this run, for titles.
    pub fn emulated(&self) -> &'static str {
        let others = |target: &Target| target.clock == Clock::Instructions && target.name != "xtensa";
        if targets().iter().any(|target| others(target) && self.has(target.name)) {
            "emulated targets"
        } else {
            "Xtensa"
        }
    }

    /// What the tokens per second of emulated targets are, where those with waits are shown if there are any.
    pub fn modelled(&self) -> String {
        let of = match self.emulated() {
            "Xtensa" => "Xtensa tokens/s".to_string(),
            others => format!("Tokens/s of {others}"),
        };
        match self.waits() {
            Some(waits) => format!("{of} are {}; {waits}.", clock_model(&|name| self.has(name))),
            None => format!("{of} are {}.", self.assumption()),
        }
    }

    /// What tokens per second with waits include, if this run has any, as a clause.
    pub fn waits(&self) -> Option<String> {
        let has = |target: &Target| self.measurements.iter().any(|m| m.target == target.name && m.metric == WITH_WAITS);
        let (target, cache) =
            targets().iter().filter(|target| has(target)).find_map(|target| Some((target, target.kind.cache()?)))?;
        let in_words = |what: &str, cache: &Cache| {
            format!(
                "of {} cycles for every line of {} bytes between its {} and a modelled {what} cache of {} kB with {} ways",
                cache.line_cycles,
                cache.line_bytes,
                cache.region,
                cache.bytes.get() >> 10,
                cache.ways
            )
        };
        let data = in_words("data", cache);
        let counts_code = self.measurements.iter().any(|m| m.target == target.name && m.metric == CODE_LINES);
        let (code, none) = match target.kind.code_cache().filter(|_| counts_code) {
            Some(cache) => (format!(", and {}", in_words("instruction", cache)), ""),
            None => (String::new(), ", and none for code in flash"),
        };
        let name = target.name;
        Some(format!("those of {name} include waits {data}{code}, which is an assumption and not a measurement{none}"))
    }

    /// Why a cell has no number for a workload, if known.
    pub fn gap(&self, cell: (&str, &str), workload: &str) -> Option<String> {
        let about = |target: &str, variant: &str, of: &Option<String>| {
            (target, variant) == cell && of.as_deref().is_none_or(|name| name == workload)
        };
        let skip = self.skips.iter().find(|skip| about(&skip.target, &skip.variant, &skip.workload));
        let failure = self.failures.iter().find(|failure| about(&failure.target, &failure.variant, &failure.workload));
        skip.map(|skip| format!("skipped: {}", skip.reason)).or_else(|| failure.map(|_| "failed: see below".into()))
    }
}
