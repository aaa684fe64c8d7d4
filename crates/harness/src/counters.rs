//! Deterministic counters of every cell: instructions, fuel, allocations, memory and sizes, with all that they depend
//! on beside them. They gate, because two runs of the same build agree.

use crate::build::Built;
use crate::callgrind::{Counted, unsupported};
use crate::error::Error;
use crate::exit::Exit;
use crate::expected::{Cause, Skip};
use crate::golden::Case;
use crate::measure::{Subject, What, artifacts};
use crate::probe::{Computed, PARTS};
use crate::process;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::records::{COUNTERS, Row};
use crate::runner::{Reply, Runner};
use crate::target::{Cell, Kind, Target};
use crate::verify::Plan;
use crate::workloads;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What stands for the variant of something that all variants share.
pub const EVERY_VARIANT: &str = "all";
/// The metric of sizes of what was built.
pub const SIZE: &str = "size";

/// One counter of one build, with what it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Target.
    pub target: String,
    /// Variant, or `all`.
    pub variant: String,
    /// Case, or the artifact of a size.
    pub workload: String,
    /// `load`, `prefill`, `decode`, `run`, or the section of a size.
    pub phase: String,
    /// What was counted.
    pub metric: String,
    /// In what.
    pub unit: String,
    /// The count over the whole phase.
    pub value: u64,
    /// Of instructions and fuel, what each step of the phase takes, where that was counted: it tells what moved, and is
    /// judged by nobody.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, u64>,
    /// Fields that must match for two counters to be comparable: model, tokens, compiler, what counted.
    pub key: BTreeMap<String, String>,
    /// In a baseline: the same counter of other variants was accepted anew on a machine that cannot run this one, so
    /// that a difference may be right.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed: bool,
}

impl Counter {
    /// What tells it from every other.
    pub fn name(&self) -> [&str; 5] {
        [&self.target, &self.variant, &self.workload, &self.phase, &self.metric]
    }
}

impl std::fmt::Display for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} {} {} {}", self.target, self.variant, self.workload, self.phase, self.metric)
    }
}

/// What counting gave.
#[derive(Debug, Default)]
pub struct Counts {
    /// The counters.
    pub counters: Vec<Counter>,
    /// Failures and skips.
    pub rows: Vec<Row>,
}

/// How a cell's tick is counted.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Under callgrind.
    Callgrind,
    /// By the target itself: fuel, or instructions of the emulator.
    Itself,
    /// Not at all, but its memory and allocations are.
    MemoryOnly,
}

struct Task<'a> {
    case: &'a Case,
    subject: Subject<'a>,
    way: Way,
}

/// Counts on every cell that can run, each run twice; where the two differ there is a failure in place of a number.
///
/// # Errors
/// On Ctrl-C, if no chosen case is a timed one, or if something built cannot be read.
pub fn count(plan: &Plan, scratch: &Path, provenance: &Provenance) -> Result<Counts, Error> {
    let mut counts = Counts { rows: plan.obstacles(), ..Counts::default() };
    let cases: Vec<&Case> = plan.cases.iter().copied().filter(|case| case.bench).collect();
    if cases.is_empty() {
        let text = "no chosen workload is a timed one: `cargo xtask list` shows which are";
        return Err(Error::Refused(text.into()));
    }
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
                // A model that does not fit is met by both runs.
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

/// Every run to make, those that take longest first, and a row for each cell that callgrind cannot run.
fn tasks<'a>(plan: &'a Plan<'a>, cases: &[&'a Case], rows: &mut Vec<Row>) -> Vec<Task<'a>> {
    let built: &Built = plan.built;
    let mut tasks = Vec::new();
    for cell in built.runnable(plan.cells) {
        let Some(runner) = built.runners.get(cell.target.name) else { continue };
        let way = match runner {
            Runner::Native { .. } => match why_not_callgrind(cell) {
                None => Way::Callgrind,
                Some(skip) => {
                    let expected = plan.expected.exit(cell, None, skip.cause, plan.can_install) == Exit::Pass;
                    rows.push(Row::skipped(cell, None, &skip, expected));
                    Way::MemoryOnly
                }
            },
            _ => Way::Itself,
        };
        for &case in cases {
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

pub(crate) fn why_not_callgrind(cell: Cell) -> Option<Skip> {
    if let Some(reason) = unsupported(&cell.variant.cpu) {
        return Some(Skip { cause: Cause::Unsupported, reason });
    }
    let missing = cell.target.count_needs.iter().find(|tool| tool.find().is_none())?;
    Some(Skip { cause: Cause::Tools, reason: format!("not installed: {}", missing.title) })
}

/// What one run counted, by phase and metric, with its unit.
type Measured = BTreeMap<(String, String), (String, u64)>;
/// The same, or the row that says why there is nothing.
type Run = Result<Measured, Box<Row>>;

/// Metrics that are the same in every run of a build. The resident set is not: it has a threshold that knows.
const EXACT: [&str; 8] =
    ["instructions", "fuel", "tokens", "allocations", "linear_memory", "heap_peak", "stack_high_water", "static"];
/// Callgrind's own loader may differ by this share from run to run.
const CALLGRIND_AGREES: f64 = 1e-4;

impl Task<'_> {
    fn failed(&self, error: String) -> Row {
        let subject = &self.subject;
        Row::failed(subject.cell, Some(subject.workload()), "count", error, Exit::Harness)
    }

    fn run(&self, plan: &Plan, scratch: &Path) -> Run {
        let failed = |error: Error| Box::new(self.failed(error.to_string()));
        let plain = |fuel| self.subject.sample(plan, fuel, &Computed::default()).map(|reply| measured(&reply));
        match (self.way, self.subject.runner) {
            (Way::Callgrind, Runner::Native { program }) => {
                // Memory and allocations are those of a run of its own: valgrind has an allocator too.
                let mut counts = plain(false)?;
                let counted = Counted::new(program, scratch).map_err(failed)?;
                let runner = Runner::Native { program: counted.program() };
                Subject { runner: &runner, ..self.subject }.sample(plan, false, &Computed::default())?;
                for ((phase, part), count) in counted.instructions().map_err(failed)? {
                    let unit = "instructions".to_string();
                    let whole = counts.entry((phase.into(), unit.clone())).or_insert((unit.clone(), 0));
                    whole.1 += count;
                    counts.insert((phase.into(), part.into()), (unit, count));
                }
                Ok(counts)
            }
            (Way::Itself, runner) => plain(matches!(runner, Runner::Wasm { .. })),
            _ => plain(false),
        }
    }

    /// What two runs differ in, if they do.
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
        // The parts of prefill and decode are counted apart, where they are asked for.
        let part = |phase: &str, part: &str| counts.get(&(phase.into(), part.into())).map(|(_, n)| (part.into(), *n));
        let load: BTreeMap<String, u64> = ["parse", "prepare"].iter().filter_map(|name| part("load", name)).collect();
        let counter = |((phase, metric), (unit, value)): ((String, String), (String, u64))| Counter {
            parts: if phase == "load" && is_tick(&metric) { load.clone() } else { BTreeMap::new() },
            target: subject.cell.target.name.into(),
            variant: subject.cell.variant.name.into(),
            workload: subject.workload().into(),
            phase,
            metric: exact_name(subject.cell.target.name, &metric).into(),
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

/// Whether a metric counts what is done, and so has steps that it is made of.
pub fn is_tick(metric: &str) -> bool {
    matches!(metric, "instructions" | "fuel")
}

/// Phases of a workload; the others are parts of one, or kernels by themselves.
const WHOLE_PHASES: [&str; 4] = ["load", "prefill", "decode", "run"];

/// The counters in the records of a run: everything that is no time, and that the records' own rows tell the key of.
///
/// Where a run has several samples the first is taken: those of a counter are equal, or its threshold knows better.
pub fn of_records(provenance: &Provenance, rows: &[Row]) -> Vec<Counter> {
    let mut counters: Vec<Counter> = Vec::new();
    let tokens = |cell: (&str, &str), workload: &str, phase: &str| {
        rows.iter().find_map(|row| match row {
            Row::Sample { target, variant, workload: of, phase: p, metric, value, .. }
                if (target.as_str(), variant.as_str()) == cell
                    && of == workload
                    && p == phase
                    && metric == "tokens" =>
            {
                Some(*value)
            }
            _ => None,
        })
    };
    for row in rows {
        let Row::Sample { target, variant, workload, model, phase, metric, unit, value, .. } = row else { continue };
        if !COUNTERS.contains(&metric.as_str()) || !WHOLE_PHASES.contains(&phase.as_str()) {
            continue;
        }
        let mut key = key(target, provenance);
        key.insert("model".into(), model.clone());
        let count = |phase| tokens((target, variant), workload, phase).map_or("?".to_string(), |n| n.to_string());
        key.insert("tokens".into(), format!("{}+{}", count("prefill"), count("decode")));
        let counter = Counter {
            target: target.clone(),
            variant: variant.clone(),
            workload: workload.clone(),
            phase: phase.clone(),
            metric: exact_name(target, metric).into(),
            unit: unit.clone(),
            value: *value,
            parts: if phase == "decode" && is_tick(metric) { profiled(rows, row) } else { BTreeMap::new() },
            key,
            unconfirmed: false,
        };
        if !counters.iter().any(|other| other.name() == counter.name()) {
            counters.push(counter);
        }
    }
    counters.extend(rows.iter().filter_map(|row| size(row, provenance)));
    counters
}

/// The steps of a decode in the rows of a run, where a profile counted them in the same unit: for an emulated target.
fn profiled(rows: &[Row], decode: &Row) -> BTreeMap<String, u64> {
    let Row::Sample { target, variant, workload, unit, .. } = decode else { return BTreeMap::new() };
    let cell = (target, variant, workload, unit);
    let part = |row: &Row| match row {
        Row::Sample { target, variant, workload, unit, phase, metric, value, .. }
            if (target, variant, workload, unit) == cell && phase == "profile" =>
        {
            PARTS.iter().any(|(name, _)| name == metric).then(|| (metric.clone(), *value))
        }
        _ => None,
    };
    rows.iter().filter_map(part).collect()
}

/// The peak memory of a guest is its linear memory, which is exact; a native program's is what the system mapped.
fn exact_name<'a>(target: &str, metric: &'a str) -> &'a str {
    let guest = Target::named(target).is_some_and(|target| matches!(target.kind, Kind::Wasmtime(_)));
    if guest && metric == "peak_memory" { "linear_memory" } else { metric }
}

fn measured(reply: &Reply) -> Measured {
    let entry =
        |m: &bitstate_protocol::Metric| ((m.phase.name().to_string(), m.name.clone()), (m.unit.clone(), m.value));
    reply.metrics.iter().map(entry).collect()
}

/// The tools that a target's counters depend on: the compiler, and what counts.
pub(crate) fn key_tools(target: &str) -> &'static [&'static str] {
    Target::named(target).map_or(&[], |target| &target.versions)
}

/// What counters of a target depend on beside the source: the tools, in their versions.
fn key(target: &str, provenance: &Provenance) -> BTreeMap<String, String> {
    let Some(target) = Target::named(target) else {
        // Of a run before the target was taken out: only with the very same tools.
        return provenance.tools.clone();
    };
    let version = |name: &&str| provenance.tools.get(*name).map(|version| (name.to_string(), version.clone()));
    target.versions.iter().filter_map(version).collect()
}

fn sizes(plan: &Plan, provenance: &Provenance) -> Result<Vec<Counter>, Error> {
    Ok(artifacts(plan)?.iter().filter_map(|row| size(row, provenance)).collect())
}

/// The size of something built, by section. A native program's whole file is left out: it has the paths of the machine
/// that built it. So is the model, which is not code.
fn size(row: &Row, provenance: &Provenance) -> Option<Counter> {
    let Row::Artifact { target, variant, name, section, bytes } = row else { return None };
    let process = Target::named(target).is_some_and(|target| matches!(target.kind, Kind::Process(_)));
    if (process && section == "file") || section == "model" {
        return None;
    }
    Some(Counter {
        target: target.clone(),
        variant: variant.clone().unwrap_or_else(|| EVERY_VARIANT.into()),
        workload: name.clone(),
        phase: section.clone(),
        metric: SIZE.into(),
        unit: "bytes".into(),
        value: *bytes,
        parts: BTreeMap::new(),
        key: key(target, provenance).into_iter().filter(|(name, _)| name.starts_with("rustc")).collect(),
        unconfirmed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::{Counter, of_records};
    use crate::exit::Exit;
    use crate::gate::{Scope, Status, exit, judge};
    use crate::provenance::Provenance;
    use crate::records::{Direction, Row};
    use crate::thresholds::Thresholds;

    fn sample(metric: &str, value: u64) -> Row {
        Row::Sample {
            target: "wasm".into(),
            variant: "simd128".into(),
            workload: "a".into(),
            model: "00000000000000aa".into(),
            sample: 0,
            phase: "decode".into(),
            metric: metric.into(),
            unit: metric.into(),
            direction: Direction::Lower,
            value,
        }
    }

    fn counters(fuel: u64, tokens: u64, wasmtime: &str) -> Vec<Counter> {
        let tools = [("wasmtime".to_string(), wasmtime.to_string())].into();
        let mut rows =
            vec![sample("time", 5), sample("fuel", fuel), sample("tokens", tokens), sample("fuel", fuel + 1)];
        // What a token needs, and what a part of it took, differ without being a finding.
        rows.extend([sample("bytes", fuel), sample("ternary", fuel), sample("clock", fuel), sample("weights", fuel)]);
        of_records(&Provenance { tools, ..Provenance::default() }, &rows)
    }

    fn compared(a: &[Counter], b: &[Counter]) -> (Status, Exit) {
        let thresholds = Thresholds::parse(include_str!("../../../ci/thresholds.toml")).unwrap();
        let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &|_| None };
        let findings = judge(&thresholds, a, b, &scope);
        assert_eq!(findings.len(), 1, "time is no counter, tokens are part of the key");
        (findings[0].status, exit(&findings))
    }

    #[test]
    fn records_compare_only_with_the_same_key() {
        let base = counters(1000, 8, "48");
        assert_eq!(compared(&base, &counters(1000, 8, "48")), (Status::Unchanged, Exit::Pass));
        assert_eq!(compared(&base, &counters(1020, 8, "48")), (Status::Regression, Exit::Regression));
        assert_eq!(compared(&base, &counters(1000, 8, "49")), (Status::NotComparable, Exit::NotMeasurable));
        assert_eq!(compared(&base, &counters(1000, 64, "48")), (Status::NotComparable, Exit::NotMeasurable));
    }
}
