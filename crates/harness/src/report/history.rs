//! How numbers moved over the published runs, up to the one that a report is about.
//!
//! A page knows the runs that started before it and no later ones, so publishing another changes no page but the new
//! one's. Times of two sessions are never compared, not even on one machine: they stand in a chart as points without a
//! line. Counters are compared where everything that they depend on is the same: see [`crate::records::counter`].

use super::Report;
use super::tables::{Table, bytes, number, percent};
use crate::definitions::metrics::{EVERY_VARIANT, SIZE};
use crate::records::counter::{Counter, of_records};
use crate::records::{Part, read_parts};
use crate::targets::Cell;
use crate::verdicts::{baseline, comparison};
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most runs that a page looks back on; older ones are in the pages of these.
const MOST: usize = 12;
/// Most lines that stand before everything else.
const MOST_MOVERS: usize = 12;

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
    /// What a reader is told that it is.
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
    fn of(parts: &[Part]) -> Self {
        let mut machines: Vec<String> = Vec::new();
        let mut points = Vec::new();
        for part in parts {
            let machine = part.provenance.machine();
            if !machines.contains(&machine) {
                machines.push(machine);
            }
            points.extend(points_of(part));
        }
        let first = parts.first().map(|part| part.provenance.clone()).unwrap_or_default();
        PastRun {
            name: first.name.clone(),
            started: started(parts).into(),
            commit: first.short_commit(),
            machine: machines.join("; "),
            points,
        }
    }

    /// The point of a name.
    pub fn find(&self, name: (Quantity, &str, &str, &str)) -> Option<&Point> {
        self.points.iter().find(|point| point.name() == name)
    }

    /// Its date.
    pub fn date(&self) -> &str {
        self.started.get(..10).unwrap_or(&self.started)
    }
}

/// When the last of the parts of a run started.
pub(super) fn started(parts: &[Part]) -> &str {
    parts.iter().map(|part| part.provenance.started.as_str()).max().unwrap_or("")
}

fn points_of(part: &Part) -> Vec<Point> {
    let report = Report::of(part.provenance.clone(), &part.rows);
    let counters = of_records(&part.provenance, &part.rows);
    let key = |cell: Cell, workload: &str, metric: &str, phase: &str| {
        let name = [cell.target.name, cell.variant.name, workload, phase, metric];
        let counter = counters.iter().find(|counter| counter.name() == name)?;
        Some(key_text(&counter.key))
    };
    let mut points = Vec::new();
    for workload in report.workloads() {
        for cell in Cell::all() {
            let names = (cell.target.name, cell.variant.name);
            let mut push = |quantity, value: Option<f64>, key| {
                let (target, variant, workload) = (names.0.into(), names.1.into(), workload.into());
                points.extend(value.map(|value| Point { quantity, target, variant, workload, value, key }));
            };
            let get = |phase, metric| report.find(names, workload, phase, metric).map(|summary| summary.median);
            push(Quantity::Speed, get("decode", "throughput"), None);
            push(Quantity::Share, report.share(names, workload), None);
            let count = get("decode", "instructions per token");
            push(Quantity::Instructions, count, key(cell, workload, "instructions", "decode"));
            push(Quantity::Fuel, get("decode", "fuel per token"), key(cell, workload, "fuel", "decode"));
            if let Some(metric) = cell.target.kind.exact_memory() {
                push(Quantity::Memory, get("run", "memory"), key(cell, workload, metric, "run"));
            }
        }
    }
    let code = |counter: &&Counter| counter.metric == SIZE && ["text", "code"].contains(&&*counter.phase);
    points.extend(counters.iter().filter(code).map(|counter| Point {
        quantity: Quantity::Code,
        target: counter.target.clone(),
        variant: counter.variant.clone(),
        workload: counter.workload.clone(),
        value: counter.value as f64,
        key: Some(key_text(&counter.key)),
    }));
    points
}

fn key_text(key: &BTreeMap<String, String>) -> String {
    key.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
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

/// Every run in `reports/`, and every acceptance in `ci/baselines/`.
#[derive(Debug, Clone, Default)]
pub struct Published {
    runs: Vec<PastRun>,
    accepted: Vec<PastRun>,
    left_out: Vec<LeftOut>,
}

impl Published {
    /// Reads them. A run that cannot be read is left out, with the reason.
    ///
    /// # Errors
    /// If a baseline cannot be read.
    pub fn load(workspace: &Workspace) -> Result<Self, Error> {
        let mut published = Published { accepted: accepted(workspace)?, ..Published::default() };
        for folder in super::published(workspace) {
            match read_parts(&folder.join("records.jsonl")) {
                Ok(parts) => published.runs.push(PastRun::of(&parts)),
                Err(error) => {
                    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    let reason = error.to_string().replace(&format!("{}/", workspace.root.display()), "");
                    published.left_out.push(LeftOut { name, reason });
                }
            }
        }
        published.runs.sort_by(|a, b| (&a.started, &a.name).cmp(&(&b.started, &b.name)));
        published.left_out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(published)
    }

    /// What a run looks back on: those that started before it, and itself.
    pub fn until(&self, parts: &[Part]) -> History {
        let own = PastRun::of(parts);
        // A comparison has nothing that others are followed by.
        if own.points.is_empty() {
            return History::default();
        }
        let before = |runs: &[PastRun]| {
            let runs: Vec<PastRun> = runs.iter().filter(|run| run.started < own.started).cloned().collect();
            runs[runs.len().saturating_sub(MOST - 1)..].to_vec()
        };
        let (mut runs, accepted) = (before(&self.runs), before(&self.accepted));
        runs.push(own);
        History { runs, accepted, left_out: self.left_out.clone() }
    }
}

/// The acceptances of native counters, each with every value that held after it.
fn accepted(workspace: &Workspace) -> Result<Vec<PastRun>, Error> {
    let Some(baseline) = baseline::load(workspace)?.remove("native") else { return Ok(Vec::new()) };
    let mut held: BTreeMap<String, Point> = BTreeMap::new();
    let mut runs = Vec::new();
    for acceptance in baseline.history {
        for change in &acceptance.changes {
            let [cell, workload, "decode", "instructions"] = change.row.split(' ').collect::<Vec<_>>()[..] else {
                continue;
            };
            let Some((target, variant)) = cell.split_once('/') else { continue };
            let point = change.to.map(|value| Point {
                quantity: Quantity::Callgrind,
                target: target.into(),
                variant: variant.into(),
                workload: workload.into(),
                value: value as f64,
                key: change.key.as_ref().map(key_text),
            });
            match point {
                Some(point) => held.insert(change.row.clone(), point),
                None => held.remove(&change.row),
            };
        }
        runs.push(PastRun {
            name: acceptance.reason,
            started: acceptance.when,
            commit: acceptance.commit,
            machine: String::new(),
            points: held.values().cloned().collect(),
        });
    }
    Ok(runs)
}

/// A cell in words: what all variants share is the target's.
fn cell(target: &str, variant: &str) -> String {
    if variant == EVERY_VARIANT { target.to_string() } else { format!("{target}/{variant}") }
}

/// The points of the last run and of those before, by name, in the order of the last.
fn names(runs: &[PastRun]) -> Vec<(Quantity, &str, &str, &str)> {
    let mut names: Vec<(Quantity, &str, &str, &str)> = Vec::new();
    for run in runs.iter().rev() {
        for point in &run.points {
            if !names.contains(&point.name()) {
                names.push(point.name());
            }
        }
    }
    names
}

/// What moved since the run before, the largest change first. Only counters: a time of another session tells nothing.
pub(super) fn movers(report: &Report) -> Table {
    let mut rows: Vec<(f64, Vec<String>)> = Vec::new();
    let [.., before, now] = &report.history.runs[..] else { return Table::new("What moved", "", &[], Vec::new()) };
    for point in &now.points {
        let Some((old, change)) = before.find(point.name()).and_then(|old| Some((old, point.change(old)?))) else {
            continue;
        };
        if change == 1.0 {
            continue;
        }
        let show = |value| point.quantity.show(value);
        let row = vec![
            comparison::percent(change),
            cell(&point.target, &point.variant),
            point.quantity.title().into(),
            show(old.value),
            show(point.value),
            format!("`{}`", point.workload),
        ];
        rows.push((change.ln().abs(), row));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let more = rows.len().saturating_sub(MOST_MOVERS);
    let more =
        if more > 0 { format!(" {more} smaller changes are in the table of the history.") } else { String::new() };
    let note = format!(
        "Counters against those of `{}` ({}, commit {}), where model, tokens, compiler and counting tool are the same; \
         less is better.{more}",
        before.name,
        before.date(),
        before.commit
    );
    let columns = ["change", "cell", "what", "before", "now", "workload"];
    Table::new("What moved", &note, &columns, rows.into_iter().take(MOST_MOVERS).map(|(_, row)| row).collect())
}

/// The runs that are looked back on, and those that could not be.
pub(super) fn runs(report: &Report) -> Table {
    let history = &report.history;
    if history.runs.len() < 2 && history.left_out.is_empty() {
        return Table::new("Published runs", "", &[], Vec::new());
    }
    let row = |(i, run): (usize, &PastRun)| {
        vec![(i + 1).to_string(), run.name.clone(), run.started.clone(), run.commit.clone(), run.machine.clone()]
    };
    let mut rows: Vec<Vec<String>> = history.runs.iter().enumerate().map(row).collect();
    rows.extend(history.left_out.iter().map(|run| {
        let reason = format!("left out: {}", run.reason);
        vec!["–".into(), run.name.clone(), "–".into(), "–".into(), reason]
    }));
    let columns = ["run", "name", "started", "commit", "machine"];
    Table::new("Published runs", "The last is this one.", &columns, rows)
}

/// Every number that is followed, a column for each run.
pub(super) fn table(report: &Report) -> Table {
    let runs = &report.history.runs;
    if runs.len() < 2 {
        return Table::new("History", "", &[], Vec::new());
    }
    let mut rows = Vec::new();
    for name in names(runs) {
        let (quantity, target, variant, workload) = name;
        let mut row = vec![quantity.title().to_string(), cell(target, variant), format!("`{workload}`")];
        let mut before: Option<&Point> = None;
        for run in runs {
            let Some(point) = run.find(name) else {
                row.push("–".into());
                continue;
            };
            let change = before.and_then(|before| point.change(before));
            let change = change.map_or(String::new(), |change| format!(" ({})", comparison::percent(change)));
            row.push(format!("{}{change}", quantity.show(point.value)));
            before = Some(point);
        }
        rows.push(row);
    }
    rows.sort_by_key(|row| !row[0].starts_with("decode"));
    let titles: Vec<String> = runs.iter().enumerate().map(|(i, run)| format!("{} {}", i + 1, run.name)).collect();
    let mut columns = vec!["what", "cell", "workload"];
    columns.extend(titles.iter().map(String::as_str));
    let note = "In brackets: the change of a counter from the run before that has it, where model, tokens, compiler and \
        counting tool are the same. Speeds have none: two sessions differ, even on one machine. A share of the roof is \
        of the roof that the same run measured.";
    Table { folded: true, ..Table::new("History", note, &columns, rows) }
}
