//! The cost of each step of a prompt and of a generated token, which locates a change of a counter.
//!
//! Counted only on request, in separate runs: natively by callgrind between marks, elsewhere by the target's own clock.
//! Baselines keep them, so that a comparison needs no build of an old commit.

use crate::definitions::golden::Case;
use crate::definitions::metrics::{PARTS, is_tick};
use crate::definitions::workloads;
use crate::records::Row;
use crate::records::counter::Counter;
use crate::runs::measure::{Subject, What};
use crate::runs::plan::Plan;
use crate::targets::callgrind::Counted;
use crate::targets::runner::Reply;
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process;
use crate::workspace::progress::Progress;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Phases whose steps are counted.
const PHASES: [&str; 2] = ["prefill", "decode"];
/// How much the sum of the steps may differ from the whole, as a fraction: code between two steps belongs to neither,
/// and separating them has a cost.
const WHOLE: f64 = 0.1;

/// Instructions or fuel by phase and part.
type Parts = BTreeMap<(String, String), u64>;

/// Counts the steps of the counters selected by `wanted` and adds them; returns a row for each failure.
///
/// # Errors
/// If interrupted.
pub fn attach(
    plan: &Plan,
    scratch: &Path,
    counters: &mut [Counter],
    wanted: &dyn Fn(&Counter) -> bool,
) -> Result<Vec<Row>, Error> {
    let has_parts = |counter: &Counter| is_tick(&counter.metric) && PHASES.contains(&counter.phase.as_str());
    let subjects = subjects(plan, |subject, case| {
        counters.iter().any(|counter| has_parts(counter) && subject_is_of(subject, case, counter) && wanted(counter))
    });
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let counted = count(plan, scratch, &subjects);
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    let mut rows = Vec::new();
    for ((subject, case), parts) in subjects.iter().zip(counted) {
        let of_it = counters.iter_mut().filter(|c| has_parts(c) && subject_is_of(subject, case, c));
        match parts {
            Ok(parts) => rows.extend(of_it.filter_map(|counter| put(subject, &parts, counter))),
            Err(row) => rows.push(*row),
        }
    }
    Ok(rows)
}

fn subject_is_of(subject: &Subject, case: &Case, counter: &Counter) -> bool {
    let cell = subject.cell;
    cell.target.name == counter.target && cell.variant.name == counter.variant && case.name() == counter.workload
}

fn subjects<'a>(plan: &'a Plan, wanted: impl Fn(&Subject, &Case) -> bool) -> Vec<(Subject<'a>, &'a Case)> {
    let mut subjects = Vec::new();
    for cell in plan.built.runnable(plan.cells) {
        let Some(runner) = plan.built.runners.get(cell.target.name) else { continue };
        for &case in plan.cases.iter().filter(|case| case.is_measured_with(cell.variant.name)) {
            let Some(model) = plan.model(case) else { continue };
            let most_tokens = workloads::settings().counted_tokens;
            let subject = Subject { cell, runner, what: What::Workload(case), model, most_tokens };
            if wanted(&subject, case) {
                subjects.push((subject, case));
            }
        }
    }
    subjects
}

/// The parts of each subject, in their order.
fn count(plan: &Plan, scratch: &Path, subjects: &[(Subject, &Case)]) -> Vec<Result<Parts, Box<Row>>> {
    let progress = Progress::bar("count steps", subjects.len() as u64);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(subjects.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some((subject, case)) = subjects.get(index) else { break };
                    let parts = parts_of(plan, scratch, subject, case);
                    progress.step(&subject.to_string());
                    // A poisoned lock means that another worker panicked, which the scope reports.
                    if let Ok(mut done) = done.lock() {
                        done.push((index, parts));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, parts)| parts).collect()
}

fn parts_of(plan: &Plan, scratch: &Path, subject: &Subject, case: &Case) -> Result<Parts, Box<Row>> {
    let failed = |error: Error| Box::new(failure(subject, error.to_string()));
    match subject.runner.program() {
        Some(program) => {
            let counted = Counted::by_mark(program, scratch).map_err(failed)?;
            let runner = counted.runner();
            Subject { runner: &runner, ..*subject }.parts(plan, case, false)?;
            counted.parts().map_err(failed)
        }
        None => {
            let reply = subject.parts(plan, case, subject.runner.counts_fuel())?;
            Ok(by_clock(&reply))
        }
    }
}

fn by_clock(reply: &Reply) -> Parts {
    let counts = reply.metrics.iter().filter(|metric| is_tick(&metric.unit));
    counts.map(|metric| ((metric.phase.name().to_string(), metric.name.clone()), metric.value)).collect()
}

/// Adds the parts of its phase to a counter, or returns a failure if they do not match it.
fn put(subject: &Subject, parts: &Parts, counter: &mut Counter) -> Option<Row> {
    let phase = &counter.phase;
    let of_phase = |name: &str| parts.get(&(phase.clone(), name.to_string())).copied();
    if let Some(unknown) = parts.keys().find(|(of, name)| of == phase && PARTS.iter().all(|(known, _)| known != name)) {
        return Some(failure(subject, format!("`{}` is counted in {phase}, which is not a step", unknown.1)));
    }
    // A phase without a step has 0 of it.
    let found: BTreeMap<String, u64> =
        PARTS.iter().map(|(name, _)| (name.to_string(), of_phase(name).unwrap_or(0))).collect();
    let sum: u64 = found.values().sum();
    if (sum as f64 - counter.value as f64).abs() > counter.value as f64 * WHOLE {
        let text = format!("the steps of {phase} add up to {sum} {}, the whole is {}", counter.unit, counter.value);
        return Some(failure(subject, text));
    }
    counter.parts = found;
    None
}

fn failure(subject: &Subject, error: String) -> Row {
    Row::failed(subject.cell, Some(subject.workload()), "count steps", error, Exit::Harness)
}
