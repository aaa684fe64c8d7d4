//! Deterministic counters of every cell: instructions, fuel, allocations, memory and sizes, each with everything it
//! depends on. They can gate a change because two runs of the same build agree.

pub mod parts;

use super::measure::probe::Computed;
use super::measure::{Subject, What, artifacts};
use super::plan::Plan;
use crate::definitions::golden::Case;
use crate::definitions::metrics::{COUNTERS, is_tick};
use crate::definitions::workloads;
use crate::records::Row;
use crate::records::counter::{Counter, counter_name, key, size};
use crate::records::provenance::Provenance;
use crate::targets::Cell;
use crate::targets::build::Built;
use crate::targets::callgrind::{Counted, unsupported};
use crate::targets::runner::Reply;
use crate::targets::skip::{Cause, Skip};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process;
use crate::workspace::progress::Progress;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The result of counting.
#[derive(Debug, Default)]
pub struct Counts {
    /// The counters.
    pub counters: Vec<Counter>,
    /// Failures and skips.
    pub rows: Vec<Row>,
}

/// How a cell's instructions or fuel are counted.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Under callgrind.
    Callgrind,
    /// By the target itself: fuel, or instructions of the emulator.
    SelfCounting,
    /// Not at all; only its memory and allocations are.
    MemoryOnly,
}

struct Task<'a> {
    case: &'a Case,
    subject: Subject<'a>,
    way: Way,
}

/// Counts every cell that can run, twice each; if the two runs differ, the result is a failure instead of a number.
///
/// # Errors
/// If interrupted, if no chosen case is a timed one, or if a build artifact cannot be read.
pub fn count(plan: &Plan, scratch: &Path, provenance: &Provenance) -> Result<Counts, Error> {
    let mut counts = Counts { rows: plan.obstacles(), ..Counts::default() };
    let cases = plan.timed()?;
    let tasks = tasks(plan, &cases, &mut counts.rows);
    let progress = Progress::bar("count, twice each", 2 * tasks.len() as u64);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Run)>> = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(2 * tasks.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(task) = tasks.get(index / 2) else { break };
                    let measured = task.run(plan, scratch);
                    progress.step(&task.subject.to_string());
                    // A poisoned lock means that another worker panicked, which the scope reports.
                    if let Ok(mut done) = done.lock() {
                        done.push((index / 2, measured));
                    }
                }
            });
        }
    });
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    for (index, task) in tasks.iter().enumerate() {
        let mut twice = done.extract_if(.., |(of, _)| *of == index).map(|(_, measured)| measured);
        match (twice.next(), twice.next()) {
            (Some(Ok(first)), Some(Ok(second))) => match task.agree(&first, &second) {
                None => counts.counters.extend(task.counters(first, provenance)),
                Some(differing) => {
                    let error = format!("two runs of the same build differ: {differing}");
                    counts.rows.push(task.failed(error));
                }
            },
            (Some(Err(row)), _) | (_, Some(Err(row))) => {
                // A model that does not fit is skipped by both runs.
                if !counts.rows.contains(&row) {
                    counts.rows.push(*row);
                }
            }
            _ => counts.rows.push(task.failed("it was not run".into())),
        }
    }
    counts.counters.extend(sizes(plan, provenance)?);
    Ok(counts)
}

/// Every run to make, the longest first, and a row for each cell that callgrind cannot run.
fn tasks<'a>(plan: &'a Plan<'a>, cases: &[&'a Case], rows: &mut Vec<Row>) -> Vec<Task<'a>> {
    let built: &Built = plan.built;
    let mut tasks = Vec::new();
    for cell in built.runnable(plan.cells) {
        let Some(runner) = built.runners.get(cell.target.name) else { continue };
        let way = match runner.program().map(|_| why_not_callgrind(cell)) {
            None => Way::SelfCounting,
            Some(None) => Way::Callgrind,
            Some(Some(skip)) => {
                let expected = plan.expected.exit(cell, None, skip.cause, plan.can_install) == Exit::Pass;
                rows.push(Row::skipped(cell, None, &skip, expected));
                Way::MemoryOnly
            }
        };
        for &case in cases.iter().filter(|case| case.is_measured_with(cell.variant.name)) {
            let Some(model) = plan.model(case) else { continue };
            let subject = Subject {
                cell,
                runner,
                what: What::Workload(case),
                model,
                most_tokens: workloads::settings().counted_tokens,
            };
            tasks.push(Task { case, subject, way });
        }
    }
    let slow = |task: &Task| (task.way == Way::MemoryOnly, task.subject.cell.variant.name != "generic");
    tasks.sort_by_key(slow);
    tasks
}

fn why_not_callgrind(cell: Cell) -> Option<Skip> {
    if let Some(reason) = unsupported(&cell.variant.cpu) {
        return Some(Skip { cause: Cause::Unsupported, reason });
    }
    let missing = cell.target.count_needs.iter().find(|tool| tool.find().is_none())?;
    Some(Skip { cause: Cause::Tools, reason: format!("not installed: {}", missing.title) })
}

/// The counts of one run, by phase and metric, with their units.
type Measured = BTreeMap<(String, String), (String, u64)>;
/// The counts, or the row that says why there are none.
type Run = Result<Measured, Box<Row>>;

/// Metrics that are equal in every run of a build. The resident set is not; its threshold allows for that.
const EXACT: [&str; 8] =
    ["instructions", "fuel", "tokens", "allocations", "linear_memory", "heap_peak", "stack_high_water", "static"];
/// Callgrind's own loader may differ by this fraction from run to run.
const CALLGRIND_AGREES: f64 = 1e-4;

impl Task<'_> {
    fn failed(&self, error: String) -> Row {
        let subject = &self.subject;
        Row::failed(subject.cell, Some(subject.workload()), "count", error, Exit::Harness)
    }

    fn run(&self, plan: &Plan, scratch: &Path) -> Run {
        let failed = |error: Error| Box::new(self.failed(error.to_string()));
        let plain = |fuel| self.subject.sample(plan, fuel, &Computed::default()).map(|reply| measured(&reply));
        match (self.way, self.subject.runner.program()) {
            (Way::Callgrind, Some(program)) => {
                // Memory and allocations come from a separate run, because valgrind replaces the allocator.
                let mut counts = plain(false)?;
                let counted = Counted::new(program, scratch).map_err(failed)?;
                let runner = counted.runner();
                Subject { runner: &runner, ..self.subject }.sample(plan, false, &Computed::default())?;
                for ((phase, part), count) in counted.instructions().map_err(failed)? {
                    let unit = "instructions".to_string();
                    let whole = counts.entry((phase.into(), unit.clone())).or_insert((unit.clone(), 0));
                    whole.1 += count;
                    counts.insert((phase.into(), part.into()), (unit, count));
                }
                Ok(counts)
            }
            (Way::SelfCounting, _) => plain(self.subject.runner.counts_fuel()),
            _ => plain(false),
        }
    }

    /// The difference between two runs, if any.
    fn agree(&self, first: &Measured, second: &Measured) -> Option<String> {
        let differs = |(name, (_, a)): (&(String, String), &(String, u64))| {
            if !EXACT.contains(&name.1.as_str()) {
                return None;
            }
            let b = second.get(name).map(|(_, value)| *value);
            let tolerance = if self.way == Way::Callgrind && name.1 == "instructions" { CALLGRIND_AGREES } else { 0.0 };
            let same = b.is_some_and(|b| a.abs_diff(b) as f64 <= *a as f64 * tolerance);
            let b = b.map_or("nothing".to_string(), |b| b.to_string());
            (!same).then(|| format!("{} {} {a} and {b}", name.0, name.1))
        };
        let differing: Vec<String> = first.iter().filter_map(differs).collect();
        (!differing.is_empty()).then(|| differing.join(", "))
    }

    fn counters(&self, counts: Measured, provenance: &Provenance) -> Vec<Counter> {
        let subject = &self.subject;
        let mut key = key(subject.cell.target.name, provenance);
        key.insert("model".into(), subject.model.digest.to_string());
        let tokens = self.case.workload.max_tokens.min(workloads::settings().counted_tokens);
        key.insert("tokens".into(), format!("{}+{tokens}", self.case.workload.prompt.len()));
        // The parts of prefill and decode are counted separately, on request.
        let part = |phase: &str, part: &str| counts.get(&(phase.into(), part.into())).map(|(_, n)| (part.into(), *n));
        let load: BTreeMap<String, u64> = ["parse", "prepare"].iter().filter_map(|name| part("load", name)).collect();
        let counter = |((phase, metric), (unit, value)): ((String, String), (String, u64))| Counter {
            parts: if phase == "load" && is_tick(&metric) { load.clone() } else { BTreeMap::new() },
            target: subject.cell.target.name.into(),
            variant: subject.cell.variant.name.into(),
            workload: subject.workload().into(),
            phase,
            metric: counter_name(subject.cell.target.name, &metric).into(),
            unit,
            value,
            key: key.clone(),
            unconfirmed: false,
        };
        // Tokens are part of the key.
        let chosen = counts.clone().into_iter().filter(|((_, metric), _)| COUNTERS.contains(&metric.as_str()));
        chosen.map(counter).collect()
    }
}

fn measured(reply: &Reply) -> Measured {
    let entry =
        |m: &bitstate_protocol::Metric| ((m.phase.name().to_string(), m.name.clone()), (m.unit.clone(), m.value));
    reply.metrics.iter().map(entry).collect()
}

fn sizes(plan: &Plan, provenance: &Provenance) -> Result<Vec<Counter>, Error> {
    Ok(artifacts(plan)?.iter().filter_map(|row| size(row, provenance)).collect())
}
