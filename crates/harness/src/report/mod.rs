//! The report of a run: one JSON made from the rows, and everything else made from that JSON.

pub mod charts;
pub mod check;
pub mod history;
pub mod html;
mod join;
mod kernels;
mod leftover;
pub mod markdown;
pub mod overview;
pub mod place;
mod roof;
pub mod shown;
pub mod tables;

use crate::definitions::metrics::PARTS;
use crate::records::provenance::Provenance;
use crate::records::{self, Part, Row, Tally, merge};
use crate::targets::skip::Cause;
use crate::targets::{Target, assumption};
use crate::verdicts::comparison::{self, Comparison};
use crate::verdicts::stats::Summary;
use crate::workspace::error::Error;
use crate::workspace::{Workspace, git, process, read_text, write_atomic};
use history::{History, Published};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the JSON's format. The rows that it is made from have their own.
pub const SCHEMA: u64 = 1;

/// Everything that a report says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u64,
    /// Where it comes from; the first part, where it was merged.
    pub provenance: Provenance,
    /// The reports of the runs that it was merged from, which then hold everything that was measured; else none.
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
    /// What was measured, summarised.
    pub measurements: Vec<Measurement>,
    /// Sides that were measured against each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// Sizes of what was built.
    pub artifacts: Vec<Artifact>,
    /// Which way the kernels take for the models' shapes.
    #[serde(default)]
    pub layouts: Vec<Layout>,
    /// What did not run.
    pub skips: Vec<Skipped>,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

/// One quantity of one cell on one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Target.
    pub target: String,
    /// Variant.
    pub variant: String,
    /// Case.
    pub workload: String,
    /// `load`, `prefill`, `decode`, `run`, `profile` or `kernel`.
    pub phase: String,
    /// Quantity; those with `modelled` in their name were not observed.
    pub metric: String,
    /// Unit.
    pub unit: String,
    /// Its samples, summarised.
    pub summary: Summary,
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
    /// Size.
    pub bytes: u64,
}

/// Which way the kernels of a cell take for a shape of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Target.
    pub target: String,
    /// Variant.
    pub variant: String,
    /// Name of the model.
    pub model: String,
    /// The step whose matrix it is.
    pub matrix: String,
    /// Outputs.
    pub rows: u64,
    /// Inputs.
    pub cols: u64,
    /// The algorithm.
    pub kernel: String,
    /// What becomes of the rows that do not fill a block.
    pub row_tail: String,
    /// What becomes of the columns that do not.
    pub col_tail: String,
}

/// Something that did not run.
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

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Target.
    pub target: String,
    /// Variant.
    pub variant: String,
    /// Case; none for all of them.
    pub workload: Option<String>,
    /// During what.
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
                Row::Layout { target, variant, model, matrix, rows, cols, kernel, row_tail, col_tail } => {
                    let layout = Layout { target, variant, model, matrix, rows, cols, kernel, row_tail, col_tail };
                    report.layouts.push(layout);
                }
                Row::Skipped { target, variant, workload, cause, reason, expected } => {
                    let skip = Skipped { target, variant, workload, cause, reason, expected };
                    // Verifying and measuring both meet the same obstacle.
                    if !report.skips.contains(&skip) {
                        report.skips.push(skip);
                    }
                }
                Row::Failed { target, variant, workload, during, error, .. } => {
                    report.failures.push(Failure { target, variant, workload, during, error });
                }
                Row::Run(_) | Row::Sample { .. } | Row::Pair { .. } | Row::Verified { .. } => {}
            }
        }
        report
    }

    /// Summarises runs: one by itself, or several that were merged, each by itself.
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

    /// The runs that it says something about: itself, or its parts.
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

    /// The workloads measured, in order of first mention; a kernel by itself is none.
    pub fn workloads(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for measurement in self.measurements.iter().filter(|measurement| measurement.phase != "kernel") {
            if !names.contains(&measurement.workload.as_str()) {
                names.push(&measurement.workload);
            }
        }
        names
    }

    /// Whether a target has anything in it: numbers, sizes, or the reason why there are none.
    pub fn has(&self, target: &str) -> bool {
        self.measurements.iter().any(|m| m.target == target)
            || self.artifacts.iter().any(|artifact| artifact.target == target)
            || self.skips.iter().any(|skip| skip.target == target)
            || self.failures.iter().any(|failure| failure.target == target)
    }

    /// The model that turned its counted instructions into time, in words.
    pub fn assumption(&self) -> String {
        assumption(&|name| self.has(name))
    }

    /// Why a cell has no number for a workload, if that is known.
    pub fn gap(&self, cell: (&str, &str), workload: &str) -> Option<String> {
        let about = |target: &str, variant: &str, of: &Option<String>| {
            (target, variant) == cell && of.as_deref().is_none_or(|name| name == workload)
        };
        let skip = self.skips.iter().find(|skip| about(&skip.target, &skip.variant, &skip.workload));
        let failure = self.failures.iter().find(|failure| about(&failure.target, &failure.variant, &failure.workload));
        skip.map(|skip| format!("skipped: {}", skip.reason)).or_else(|| failure.map(|_| "failed: see below".into()))
    }
}

type Key = (String, String, String);
type Counts = BTreeMap<(String, String), f64>;

/// Derived quantities, sample by sample, then summarised: a median of ratios, not a ratio of medians.
fn summarise(rows: &[Row]) -> Vec<Measurement> {
    let mut order: Vec<Key> = Vec::new();
    let mut samples: BTreeMap<(Key, u32), Counts> = BTreeMap::new();
    for row in rows {
        if let Row::Sample { target, variant, workload, sample, phase, metric, value, .. } = row {
            let key = (target.clone(), variant.clone(), workload.clone());
            if !order.contains(&key) {
                order.push(key.clone());
            }
            let counts = samples.entry((key, *sample)).or_default();
            counts.insert((phase.clone(), metric.clone()), *value as f64);
        }
    }
    let mut measurements = Vec::new();
    for key in order {
        let mut values: BTreeMap<(usize, &str, &str), (&str, Vec<f64>)> = BTreeMap::new();
        let hz = Target::named(&key.0).and_then(Target::hz);
        for (_, counts) in samples.iter().filter(|((of, _), _)| *of == key) {
            for (phase, metric, unit, value) in derive(counts, hz) {
                let place = records_phase(phase);
                values.entry((place, phase, metric)).or_insert((unit, Vec::new())).1.push(value);
            }
        }
        for ((_, phase, metric), (unit, values)) in values {
            let Some(summary) = Summary::of(&values) else { continue };
            let (target, variant, workload) = key.clone();
            measurements.push(Measurement {
                target,
                variant,
                workload,
                phase: phase.into(),
                metric: metric.into(),
                unit: unit.into(),
                summary,
            });
        }
    }
    measurements
}

fn records_phase(phase: &str) -> usize {
    ["load", "prefill", "decode", "run", "profile", "kernel"]
        .iter()
        .position(|name| *name == phase)
        .unwrap_or(usize::MAX)
}

/// What one sample's counts say, as phase, metric, unit and value.
fn derive(counts: &Counts, hz: Option<f64>) -> Vec<(&'static str, &'static str, &'static str, f64)> {
    let get = |phase: &str, metric: &str| counts.get(&(phase.to_string(), metric.to_string())).copied();
    let mut out = Vec::new();
    for phase in ["load", "prefill", "decode"] {
        if let Some(ns) = get(phase, "time") {
            out.push((phase, "time", "ms", ns / 1e6));
        }
        if let Some(count) = get(phase, "instructions") {
            out.push((phase, "instructions", "instructions", count));
        }
        let Some(tokens) = get(phase, "tokens").filter(|tokens| *tokens > 0.0) else { continue };
        if let Some(ns) = get(phase, "time").filter(|ns| *ns > 0.0) {
            out.push((phase, "throughput", "tokens/s", tokens / (ns / 1e9)));
        }
        if let Some(count) = get(phase, "instructions").filter(|count| *count > 0.0) {
            out.push((phase, "instructions per token", "instructions", count / tokens));
            if let Some(hz) = hz {
                out.push((phase, "modelled throughput", "tokens/s", hz / (count / tokens)));
            }
        }
        if let Some(count) = get(phase, "fuel") {
            out.push((phase, "fuel per token", "fuel", count / tokens));
        }
        if let Some(count) = get(phase, "allocations") {
            out.push((phase, "allocations per token", "count", count / tokens));
        }
    }
    if let Some((bytes, tokens)) =
        get("decode", "bytes").zip(get("decode", "tokens")).filter(|(_, tokens)| *tokens > 0.0)
    {
        out.push(("decode", "bytes per token", "bytes", bytes / tokens));
        if let Some(ns) = get("decode", "time").filter(|ns| *ns > 0.0) {
            out.push(("decode", "bandwidth", "GB/s", bytes / ns));
        }
    }
    if let Some(tokens) = get("profile", "tokens").filter(|tokens| *tokens > 0.0) {
        let (scale, unit) = if hz.is_some() { (1.0, "instructions/token") } else { (1e-3, "µs/token") };
        let parts = PARTS.iter().map(|(name, _)| *name).chain(["clock"]);
        out.extend(parts.filter_map(|name| Some(("profile", name, unit, get("profile", name)? / tokens * scale))));
    }
    for (amount, rate, each) in
        [("weights", "G weights/s", "instructions/weight"), ("bytes", "GB/s", "instructions/byte")]
    {
        let Some(done) = get("kernel", amount).filter(|done| *done > 0.0) else { continue };
        if let Some(ns) = get("kernel", "time").filter(|ns| *ns > 0.0) {
            out.push(("kernel", "rate", rate, done / ns));
        }
        if let Some(count) = get("kernel", "instructions") {
            out.push(("kernel", "cost", each, count / done));
        }
    }
    for metric in ["peak_memory", "linear_memory", "heap_peak", "stack_high_water", "static"] {
        if let Some(bytes) = get("run", metric) {
            out.push(("run", metric, "bytes", bytes));
        }
    }
    let parts = (get("run", "heap_peak"), get("run", "stack_high_water"), get("run", "static"));
    let memory = match parts {
        (Some(heap), Some(stack), Some(fixed)) => Some(heap + stack + fixed),
        _ => get("run", "linear_memory").or(get("run", "peak_memory")),
    };
    out.extend(memory.map(|bytes| ("run", "memory", "bytes", bytes)));
    out
}

/// Writes a run's folder: rows, JSON, Markdown, HTML and charts.
///
/// # Errors
/// If a file cannot be written or a chart not be drawn.
pub fn write(folder: &Path, provenance: &Provenance, rows: &[Row], published: &Published) -> Result<(), Error> {
    let mut all = vec![Row::Run(Box::new(provenance.clone()))];
    all.extend_from_slice(rows);
    records::write(&folder.join("records.jsonl"), &all)?;
    render(folder, published)
}

/// Makes everything else in a run's folder from its rows again, and removes the charts that they no longer give.
///
/// # Errors
/// If the rows cannot be read, a file not be written or a chart not be removed.
pub fn render(folder: &Path, published: &Published) -> Result<(), Error> {
    let files = files(folder, published)?;
    for (name, bytes) in &files {
        write_atomic(&folder.join(name), bytes)?;
    }
    leftover::remove(folder, &files)
}

/// Names within a run's folder, and what is in the files.
type Files = Vec<(String, Vec<u8>)>;

/// Everything that a run's rows, and those of the runs published before it, give by name: JSON, Markdown, HTML and
/// charts.
fn files(folder: &Path, published: &Published) -> Result<Files, Error> {
    let path = folder.join("records.jsonl");
    let parts = records::read_parts(&path)?;
    merge::check_parts(&path, &parts)?;
    let mut report = Report::of_parts(&parts);
    report.history = published.until(&parts);
    let malformed = |error: serde_json::Error| Error::Malformed { path, message: error.to_string() };
    let json = serde_json::to_string_pretty(&report).map_err(malformed)? + "\n";
    let mut files = vec![
        ("report.json".to_string(), json.into_bytes()),
        ("report.md".to_string(), markdown::page(&report).into_bytes()),
        ("report.html".to_string(), html::page(&report)?.into_bytes()),
    ];
    for chart in charts::all(&report) {
        if process::interrupted() {
            return Err(Error::Interrupted);
        }
        files.push((format!("charts/{}.svg", chart.name), charts::svg(&chart, charts::PAGE)?.into_bytes()));
        files.push((format!("charts/{}.png", chart.name), charts::png(&chart, charts::PAGE)?));
    }
    Ok(files)
}

/// What is not current in a run's folder, in words that begin with the file's name in it: files that are not what its
/// rows give now, and charts that they do not give at all.
///
/// # Errors
/// If the rows or the folder of charts cannot be read, or a chart not be drawn.
pub fn outdated(folder: &Path, published: &Published) -> Result<Vec<String>, Error> {
    let same = |name: &str, bytes: &[u8]| std::fs::read(folder.join(name)).is_ok_and(|found| found == bytes);
    let files = files(folder, published)?;
    let left_over = leftover::charts(folder, &files)?.into_iter();
    let left_over = left_over.map(|name| format!("{name}, which the records do not give"));
    let changed = files.into_iter().filter(|(name, bytes)| !same(name, bytes)).map(|(name, _)| name);
    Ok(changed.chain(left_over).collect())
}

/// Reads a run's report.
///
/// # Errors
/// If it is missing or not one.
pub fn read(folder: &Path) -> Result<Report, Error> {
    let path = folder.join("report.json");
    let text = read_text(&path)?;
    serde_json::from_str(&text).map_err(|error| Error::Malformed { path, message: error.to_string() })
}

/// The folders of the published runs, by name. A copy that an editor or a person put aside is none of them.
pub fn published(workspace: &Workspace) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(workspace.reports()).into_iter().flatten().flatten();
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !git::is_leftover(&name) && path.join("records.jsonl").is_file()
    };
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(ours).collect();
    folders.sort();
    folders
}
