//! Measuring: fresh processes, in shuffled rounds; each answer is checked before its numbers count.

mod artifacts;
pub mod probe;
mod subject;

pub use artifacts::artifacts;
pub(crate) use subject::{Subject, What};

use crate::definitions::metrics::Direction;
use crate::definitions::select::Patterns;
use crate::definitions::workloads;
use crate::records::Row;
use crate::runs::measure::probe::Computed;
use crate::runs::plan::Plan;
use crate::targets::Clock;
use crate::verdicts::stats::random::SplitMix;
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process;
use crate::workspace::processor::Processor;
use crate::workspace::progress::Progress;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use subject::Run;

/// The result of measuring.
#[derive(Debug)]
pub struct Measured {
    /// Samples, failures and skips.
    pub rows: Vec<Row>,
    /// The processor that timed runs were pinned to.
    pub pinned_to: Option<usize>,
}

/// Measures the plan's timed cases on its cells.
///
/// # Errors
/// If interrupted, if no chosen case is a timed one, or if the journal cannot be written. A failure of a run is a row.
pub fn measure(plan: &Plan, metrics: &Patterns, seed: u64) -> Result<Measured, Error> {
    run(plan, metrics, seed, false)
}

/// [`measure`], and in the same rounds the reference measurements: see [`probe`].
///
/// # Errors
/// As `measure`.
pub fn survey(plan: &Plan, metrics: &Patterns, seed: u64) -> Result<Measured, Error> {
    run(plan, metrics, seed, true)
}

fn run(plan: &Plan, metrics: &Patterns, seed: u64, probes: bool) -> Result<Measured, Error> {
    let cases = plan.timed()?;
    let mut emulated = Vec::new();
    let mut timed = Vec::new();
    for cell in plan.built.runnable(plan.cells) {
        let Some(runner) = plan.built.runners.get(cell.target.name) else { continue };
        let subjects = match cell.target.clock {
            Clock::Wall => &mut timed,
            Clock::Instructions => &mut emulated,
        };
        let short = plan.quick && cell.target.clock == Clock::Instructions;
        let most_tokens = if short { workloads::settings().counted_tokens } else { u32::MAX };
        for &case in cases.iter().filter(|case| case.is_measured_with(cell.variant.name)) {
            let Some(model) = plan.model(case) else { continue };
            subjects.push(Subject { cell, runner, what: What::Workload(case), model, most_tokens });
            if probes {
                subjects.push(Subject { cell, runner, what: What::Parts(case), model, most_tokens });
            }
        }
        // Single kernels do not depend on a model, but a runner needs one: the smallest.
        if probes && let Some(model) = plan.models.iter().min_by_key(|model| model.bytes) {
            subjects.push(Subject { cell, runner, what: What::Kernels, model, most_tokens });
        }
    }
    let computed = Computed::default();
    let mut rows = measure_emulated(plan, &emulated, &computed)?;
    // A separate thread, so that only timed runs are pinned.
    let (timed, pinned_to) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let pinned_to = plan.processor.and_then(Processor::pin);
            (measure_timed(plan, &timed, seed, &computed), pinned_to)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    rows.extend(timed?);
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    rows.retain(|row| match row {
        // Neutral metrics are always kept: the others are divided by them.
        Row::Sample { metric, direction, .. } => *direction == Direction::Neutral || metrics.matches(metric),
        _ => true,
    });
    Ok(Measured { rows, pinned_to })
}

/// Instruction counts do not depend on other load, so all processors are used.
fn measure_emulated(plan: &Plan, subjects: &[Subject], computed: &Computed) -> Result<Vec<Row>, Error> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let progress = Progress::bar("count instructions, twice each", 2 * subjects.len() as u64);
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, Vec<Row>)>> = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(2 * subjects.len());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::SeqCst);
            let Some(subject) = subjects.get(index / 2) else { return Ok(()) };
            let rows = subject.once(plan, Run::Sample(index as u32 % 2), computed)?;
            progress.step(&subject.to_string());
            if let Ok(mut answers) = answers.lock() {
                answers.push((index, rows));
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    let mut answers = answers.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    answers.sort_by_key(|(index, _)| *index);
    let mut rows = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let mut twice = answers.extract_if(.., |(of, _)| *of / 2 == index).map(|(_, rows)| rows);
        match (twice.next(), twice.next()) {
            (Some(first), _) if !succeeded(&first) => rows.extend(first),
            (_, Some(second)) if !succeeded(&second) => rows.extend(second),
            (Some(first), Some(second)) => {
                let (a, b) = (counts(&first), counts(&second));
                if a == b {
                    rows.extend(first.into_iter().chain(second));
                    continue;
                }
                let pairs = a.iter().zip(&b).filter(|(a, b)| a != b);
                let differing: Vec<String> = pairs.map(|((name, a), (_, b))| format!("{name} {a} and {b}")).collect();
                let error = format!("two runs of the same image differ: {}", differing.join(", "));
                rows.push(subject.failed(error, Exit::Harness));
            }
            _ => rows.push(subject.failed("it was not run".into(), Exit::Harness)),
        }
    }
    Ok(rows)
}

/// Whether the rows are samples, without a failure or skip.
fn succeeded(rows: &[Row]) -> bool {
    rows.iter().all(|row| matches!(row, Row::Sample { .. }))
}

fn counts(rows: &[Row]) -> Vec<(String, u64)> {
    let count = |row: &Row| match row {
        Row::Sample { workload, phase, metric, value, .. } => Some((format!("{workload} {phase} {metric}"), *value)),
        _ => None,
    };
    rows.iter().filter_map(count).collect()
}

/// Timed runs: one at a time, in rounds over all subjects in random order.
fn measure_timed(plan: &Plan, subjects: &[Subject], seed: u64, computed: &Computed) -> Result<Vec<Row>, Error> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let rounds = subjects.iter().map(|subject| subject.rounds(plan.quick)).max().unwrap_or(0);
    let samples: u32 = subjects.iter().map(|subject| subject.rounds(plan.quick)).sum();
    let fuelled = subjects.iter().filter(|subject| subject.has_fuel()).count();
    let progress = Progress::bar("measure", u64::from(samples) + fuelled as u64);
    let mut rows = Vec::new();
    // A failed subject is not run again: its row exists.
    let mut failed = vec![false; subjects.len()];
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    let mut random = SplitMix::new(seed);
    for sample in 0..rounds {
        random.shuffle(&mut order);
        for &index in &order {
            let subject = &subjects[index];
            if sample >= subject.rounds(plan.quick) {
                continue;
            }
            if !failed[index] {
                let new = subject.once(plan, Run::Sample(sample), computed)?;
                failed[index] = !succeeded(&new);
                rows.extend(new);
            }
            progress.step(&subject.to_string());
        }
    }
    for (subject, failed) in subjects.iter().zip(failed) {
        if subject.has_fuel() && !failed {
            rows.extend(subject.once(plan, Run::Fuel, computed)?);
            progress.step(&subject.to_string());
        }
    }
    Ok(rows)
}
