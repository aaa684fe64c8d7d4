//! The tracked values of the runs in `reports/` and of the acceptances in `ci/baselines/`.

use super::points::{History, LeftOut, PastRun, Point, Quantity};
use crate::definitions::metrics::SIZE;
use crate::records::counter::{Counter, of_records};
use crate::records::{Part, read_parts, records_of};
use crate::report::folder::stored::{folders, started};
use crate::report::summary::report::Report;
use crate::targets::Cell;
use crate::verdicts::baseline;
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use std::collections::BTreeMap;

/// Most runs in a page's history; older ones are in earlier pages.
const MOST: usize = 12;
/// The tracked values of a run.
fn past_run(parts: &[Part]) -> PastRun {
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
        for folder in folders(workspace) {
            match read_parts(&records_of(&folder)) {
                Ok(parts) => published.runs.push(past_run(&parts)),
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

    /// The history of a run: those that started before it, and itself.
    pub fn until(&self, parts: &[Part]) -> History {
        let own = past_run(parts);
        // A comparison has no tracked values.
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

/// The acceptances of native counters, each with every value valid after it.
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
