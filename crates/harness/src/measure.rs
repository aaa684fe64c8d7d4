//! Measuring: fresh processes, in shuffled rounds, each answer checked before its numbers count.

use crate::error::Error;
use crate::exit::Exit;
use crate::golden::{Case, Divergence};
use crate::process;
use crate::progress::Progress;
use crate::random::SplitMix;
use crate::records::{METRICS, Row};
use crate::runner::{Ask, ModelFile, Reply, Runner};
use crate::sections;
use crate::select::Patterns;
use crate::target::{Cell, Clock};
use crate::verify::{Plan, stale, time_limit};
use bitstate_protocol::{Job, Metric, Workload};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Samples of a wall-clock quantity: a quick run's and a full run's.
pub const SAMPLES: (u32, u32) = (10, 20);
/// Tokens that a quick run has an emulated target generate: counts differ little from token to token.
const QUICK_EMULATED_TOKENS: u32 = 8;

/// What measuring gave.
#[derive(Debug)]
pub struct Measured {
    /// Samples, failures and skips.
    pub rows: Vec<Row>,
    /// The processor that timed runs were pinned to.
    pub pinned_to: Option<usize>,
}

/// An answer whose numbers count, or the row that says why there is none.
pub(crate) type Sampled = Result<Reply, Box<Row>>;

/// One thing to measure.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub cell: Cell,
    pub runner: &'a Runner,
    pub case: &'a Case,
    pub model: &'a ModelFile,
}

/// Measures the plan's timed cases on its cells, and the sizes of what was built.
///
/// # Errors
/// On Ctrl-C, or if no chosen case is a timed one. Everything that goes wrong with a run is a row.
pub fn measure(plan: &Plan, metrics: &Patterns, seed: u64) -> Result<Measured, Error> {
    let cases: Vec<&Case> = plan.cases.iter().copied().filter(|case| case.bench).collect();
    if cases.is_empty() {
        let text = "no chosen workload is a timed one: `cargo xtask list` shows which are";
        return Err(Error::Refused(text.into()));
    }
    let mut emulated = Vec::new();
    let mut timed = Vec::new();
    for cell in plan.built.runnable(plan.cells) {
        let Some(runner) = plan.built.runners.get(cell.target.name) else { continue };
        for &case in &cases {
            let Some(model) = plan.model(case) else { continue };
            let subject = Subject { cell, runner, case, model };
            match cell.target.clock {
                Clock::Wall => timed.push(subject),
                Clock::Instructions => emulated.push(subject),
            }
        }
    }
    let mut rows = measure_emulated(plan, &emulated);
    // A thread of its own, so that only what is timed is pinned.
    let (timed, pinned_to) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let pinned_to = pin();
            (measure_timed(plan, &timed, seed), pinned_to)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    rows.extend(timed);
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    rows.retain(|row| match row {
        // The number of tokens is what the others are divided by.
        Row::Sample { metric, .. } => metric == "tokens" || metrics.matches(metric),
        _ => true,
    });
    Ok(Measured { rows, pinned_to })
}

/// Counted instructions do not depend on what else runs, so all processors are used.
fn measure_emulated(plan: &Plan, subjects: &[Subject]) -> Vec<Row> {
    if subjects.is_empty() {
        return Vec::new();
    }
    let progress = Progress::bar("count instructions, twice each", 2 * subjects.len() as u64);
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, Sampled)>> = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(2 * subjects.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(subject) = subjects.get(index / 2) else { break };
                    let answer = subject.sample(plan, false);
                    progress.step(&subject.to_string());
                    if let Ok(mut answers) = answers.lock() {
                        answers.push((index / 2, answer));
                    }
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    answers.sort_by_key(|(index, _)| *index);
    let mut rows = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let mut twice = answers.extract_if(.., |(of, _)| *of == index).map(|(_, answer)| answer);
        match (twice.next(), twice.next()) {
            (Some(Ok(first)), Some(Ok(second))) if counts(&first) == counts(&second) => {
                rows.extend(subject.rows(0, &first.metrics));
                rows.extend(subject.rows(1, &second.metrics));
            }
            (Some(Ok(first)), Some(Ok(second))) => {
                let pairs = first.metrics.iter().zip(&second.metrics);
                let differing = pairs
                    .filter(|(a, b)| a != b)
                    .map(|(a, b)| format!("{} {} {} and {}", a.phase, a.name, a.value, b.value));
                let error = format!("two runs of the same image differ: {}", differing.collect::<Vec<_>>().join(", "));
                rows.push(subject.failed(error, Exit::Harness));
            }
            (Some(Err(row)), _) | (_, Some(Err(row))) => rows.push(*row),
            _ => rows.push(subject.failed("it was not run".into(), Exit::Harness)),
        }
    }
    rows
}

fn counts(reply: &Reply) -> Vec<(String, u64)> {
    reply.metrics.iter().map(|metric| (format!("{} {}", metric.phase, metric.name), metric.value)).collect()
}

/// Timed runs: one after the other, every round over all subjects in another order.
fn measure_timed(plan: &Plan, subjects: &[Subject], seed: u64) -> Vec<Row> {
    if subjects.is_empty() {
        return Vec::new();
    }
    let samples = if plan.quick { SAMPLES.0 } else { SAMPLES.1 };
    let fuelled = subjects.iter().filter(|subject| subject.has_fuel()).count();
    let progress = Progress::bar("measure", u64::from(samples) * subjects.len() as u64 + fuelled as u64);
    let mut rows = Vec::new();
    // One that failed is not asked again: its row is there.
    let mut failed = vec![false; subjects.len()];
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    let mut random = SplitMix::new(seed);
    for sample in 0..samples {
        random.shuffle(&mut order);
        for &index in &order {
            let subject = &subjects[index];
            if !failed[index] && !process::interrupted() {
                match subject.sample(plan, false) {
                    Ok(reply) => rows.extend(subject.rows(sample, &reply.metrics)),
                    Err(row) => {
                        failed[index] = true;
                        rows.push(*row);
                    }
                }
            }
            progress.step(&subject.to_string());
        }
    }
    for (subject, failed) in subjects.iter().zip(failed) {
        if subject.has_fuel() && !failed && !process::interrupted() {
            match subject.sample(plan, true) {
                Ok(reply) => {
                    let fuel: Vec<Metric> = reply.metrics.into_iter().filter(|metric| metric.name == "fuel").collect();
                    rows.extend(subject.rows(0, &fuel));
                }
                Err(row) => rows.push(*row),
            }
            progress.step(&subject.to_string());
        }
    }
    rows
}

impl Subject<'_> {
    fn has_fuel(&self) -> bool {
        matches!(self.runner, Runner::Wasm { .. })
    }

    fn failed(&self, error: String, exit: Exit) -> Row {
        Row::failed(self.cell, Some(self.case.name()), "bench", error, exit)
    }

    fn void(&self, error: String, exit: Exit) -> Box<Row> {
        Box::new(self.failed(error, exit))
    }

    /// One run; its numbers count only if its stream is the golden one.
    pub fn sample(&self, plan: &Plan, fuel: bool) -> Sampled {
        let short = plan.quick && self.cell.target.clock == Clock::Instructions;
        self.sample_tokens(plan, fuel, if short { QUICK_EMULATED_TOKENS } else { u32::MAX })
    }

    /// A run that generates at most this many tokens.
    pub fn sample_tokens(&self, plan: &Plan, fuel: bool, most: u32) -> Sampled {
        let case = self.case;
        let mut workload: Workload = case.workload.clone();
        workload.max_tokens = workload.max_tokens.min(most);
        let steps = workload.max_tokens as usize;
        let ask = Ask { model: self.model, jobs: vec![Job::Bench(workload)], fuel, timeout: time_limit(self.cell) };
        let reply = self.runner.run(self.cell, &ask);
        let reply =
            reply.map_err(|error| Box::new(plan.failure(self.cell, case.name(), &case.model, "bench", &error)))?;
        if let Some(message) = reply.failures.get(case.name()) {
            return Err(self.void(format!("the runner says: {message}"), Exit::Harness));
        }
        let limit = (steps < case.workload.max_tokens as usize).then_some(steps);
        let divergence =
            reply.streams.get(case.name()).and_then(|stream| Divergence::find(&case.golden, stream, limit));
        if let Some(divergence) = divergence {
            let error = format!("the sample is void, its answer is wrong: {divergence}");
            return Err(self.void(error, Exit::WrongAnswer));
        }
        if let Some(text) = stale(case, self.model) {
            return Err(self.void(text, Exit::Harness));
        }
        if let Some(metric) = reply.metrics.iter().find(|metric| !METRICS.iter().any(|(name, _)| *name == metric.name))
        {
            let error = format!("the runner counts `{}`, which the harness does not know", metric.name);
            return Err(self.void(error, Exit::Harness));
        }
        let tick = match (self.cell.target.clock, fuel) {
            (Clock::Instructions, _) => "instructions",
            (Clock::Wall, true) => "fuel",
            (Clock::Wall, false) => "time",
        };
        for (phase, name) in
            [("load", tick), ("prefill", tick), ("prefill", "tokens"), ("decode", tick), ("decode", "tokens")]
        {
            if !reply.metrics.iter().any(|metric| metric.phase.name() == phase && metric.name == name) {
                return Err(self.void(format!("the answer has no {name} of {phase}"), Exit::Harness));
            }
        }
        Ok(reply)
    }

    fn rows(&self, sample: u32, metrics: &[Metric]) -> Vec<Row> {
        let row = |metric: &Metric| {
            let known = METRICS.iter().find(|(name, _)| *name == metric.name)?;
            Some(Row::Sample {
                target: self.cell.target.name.into(),
                variant: self.cell.variant.name.into(),
                workload: self.case.name().into(),
                model: self.model.digest.to_string(),
                sample,
                phase: metric.phase.name().into(),
                metric: metric.name.clone(),
                unit: metric.unit.clone(),
                direction: known.1,
                value: metric.value,
            })
        };
        metrics.iter().filter_map(row).collect()
    }
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.cell, self.case.name())
    }
}

/// Sizes of what was built, as files and by section. The firmware's sections are those of an image with the first
/// timed model that fits.
///
/// # Errors
/// If a file that was just built cannot be read.
pub fn artifacts(plan: &Plan) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let mut push = |target: &str, variant: Option<&str>, name: &str, sizes: Vec<(&str, u64)>| {
        rows.extend(sizes.into_iter().map(|(section, bytes)| Row::Artifact {
            target: target.into(),
            variant: variant.map(str::to_string),
            name: name.into(),
            section: section.into(),
            bytes,
        }));
    };
    for (&target, runner) in &plan.built.runners {
        match runner {
            Runner::Native { program } => push(target, None, "bitstate-runner-native", file_sizes(program)?),
            Runner::Wasm { guests, .. } => {
                for (variant, guest) in guests {
                    push(target, Some(variant), "guest.wasm", file_sizes(guest)?);
                }
            }
            Runner::Xtensa(xtensa) => {
                let timed = plan.cases.iter().filter(|case| case.bench).filter_map(|case| plan.model(case));
                let sizes = timed.filter_map(|model| xtensa.sections(model)).next();
                push(target, None, "firmware", sizes.unwrap_or_default());
            }
        }
    }
    Ok(rows)
}

fn file_sizes(path: &Path) -> Result<Vec<(&'static str, u64)>, Error> {
    let file = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut all = vec![("file", file.len() as u64)];
    all.extend(sections::sizes(&file).into_iter().flatten());
    Ok(all)
}

/// Pins this thread, and so the processes that it starts, to the last processor it may use; tells which.
pub(crate) fn pin() -> Option<usize> {
    let allowed = sched_getaffinity(None).ok()?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|&cpu| allowed.is_set(cpu))?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).ok()?;
    Some(last)
}
