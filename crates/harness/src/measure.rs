//! Measuring: fresh processes, in shuffled rounds, each answer checked before its numbers count.

use crate::error::Error;
use crate::exit::Exit;
use crate::golden::{Case, Divergence};
use crate::journal::Done;
use crate::probe::{self, Computed};
use crate::process;
use crate::progress::Progress;
use crate::random::SplitMix;
use crate::records::{Direction, METRICS, Row};
use crate::runner::{Ask, ModelFile, Reply, Runner};
use crate::sections;
use crate::select::Patterns;
use crate::target::{Cell, Clock};
use crate::verify::{KERNELS, Plan, stale, time_limit};
use crate::workloads;
use bitstate_protocol::{Job, Metric, Phase, Workload};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the runner never counts of a workload: the harness does, or only of what is measured beside it.
const PROBED: [&str; 9] = ["bytes", "weights", "ternary", "head", "wkv", "norms", "steps", "sampling", "clock"];

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
    pub what: What<'a>,
    pub model: &'a ModelFile,
    /// A case is cut to so many tokens.
    pub most_tokens: u32,
}

/// What is measured of it.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// Load, prefill and decode of a case.
    Workload(&'a Case),
    /// The parts of its decode.
    Parts(&'a Case),
    /// Kernels by shape, and reads of memory.
    Kernels,
}

/// Measures the plan's timed cases on its cells.
///
/// # Errors
/// On Ctrl-C, if no chosen case is a timed one, or if the journal cannot be written. Everything that goes wrong with a
/// run is a row.
pub fn measure(plan: &Plan, metrics: &Patterns, seed: u64) -> Result<Measured, Error> {
    run(plan, metrics, seed, false)
}

/// [`measure`], and beside the cases, in the same rounds, what their numbers are held against: see [`probe`].
///
/// # Errors
/// As `measure`.
pub fn survey(plan: &Plan, metrics: &Patterns, seed: u64) -> Result<Measured, Error> {
    run(plan, metrics, seed, true)
}

fn run(plan: &Plan, metrics: &Patterns, seed: u64, probes: bool) -> Result<Measured, Error> {
    let cases: Vec<&Case> = plan.cases.iter().copied().filter(|case| case.bench).collect();
    if cases.is_empty() {
        let text = "no chosen workload is a timed one: `cargo xtask list` shows which are";
        return Err(Error::Refused(text.into()));
    }
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
        for &case in &cases {
            let Some(model) = plan.model(case) else { continue };
            subjects.push(Subject { cell, runner, what: What::Workload(case), model, most_tokens });
            if probes {
                subjects.push(Subject { cell, runner, what: What::Parts(case), model, most_tokens });
            }
        }
        // Kernels by themselves have nothing to do with a model, but a runner wants one: the smallest there is.
        if probes && let Some(model) = plan.models.iter().min_by_key(|model| model.bytes) {
            subjects.push(Subject { cell, runner, what: What::Kernels, model, most_tokens });
        }
    }
    let computed = Computed::default();
    let mut rows = measure_emulated(plan, &emulated, &computed)?;
    // A thread of its own, so that only what is timed is pinned.
    let (timed, pinned_to) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let pinned_to = pin();
            (measure_timed(plan, &timed, seed, &computed), pinned_to)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    rows.extend(timed?);
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    rows.retain(|row| match row {
        // What is neither better nor worse is what the others are divided by.
        Row::Sample { metric, direction, .. } => *direction == Direction::Neutral || metrics.matches(metric),
        _ => true,
    });
    Ok(Measured { rows, pinned_to })
}

/// Counted instructions do not depend on what else runs, so all processors are used.
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

/// Whether the rows are numbers, and no failure or skip.
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

/// Timed runs: one after the other, every round over all subjects in another order.
fn measure_timed(plan: &Plan, subjects: &[Subject], seed: u64, computed: &Computed) -> Result<Vec<Row>, Error> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let rounds = subjects.iter().map(|subject| subject.rounds(plan.quick)).max().unwrap_or(0);
    let samples: u32 = subjects.iter().map(|subject| subject.rounds(plan.quick)).sum();
    let fuelled = subjects.iter().filter(|subject| subject.has_fuel()).count();
    let progress = Progress::bar("measure", u64::from(samples) + fuelled as u64);
    let mut rows = Vec::new();
    // One that failed is not asked again: its row is there.
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

/// Which run of a subject.
#[derive(Clone, Copy)]
enum Run {
    /// Of so many, from 0.
    Sample(u32),
    /// The one that counts fuel.
    Fuel,
}

impl<'a> Subject<'a> {
    fn has_fuel(&self) -> bool {
        matches!((self.runner, self.what), (Runner::Wasm { .. }, What::Workload(_)))
    }

    /// Samples of a wall-clock quantity.
    fn rounds(&self, quick: bool) -> u32 {
        let settings = workloads::settings();
        let samples = if matches!(self.what, What::Workload(_)) { settings.samples } else { settings.probe_samples };
        samples.of(quick)
    }

    /// What a row's `workload` says where the run as a whole is meant.
    pub fn workload(&self) -> &'a str {
        match self.what {
            What::Workload(case) | What::Parts(case) => case.name(),
            What::Kernels => KERNELS,
        }
    }

    /// What a row's `during` says.
    fn during(&self) -> &'static str {
        match self.what {
            What::Workload(_) => "bench",
            What::Parts(_) => "profile",
            What::Kernels => "throughput",
        }
    }

    fn failed(&self, error: String, exit: Exit) -> Row {
        Row::failed(self.cell, Some(self.workload()), self.during(), error, exit)
    }

    fn void(&self, error: String, exit: Exit) -> Box<Row> {
        Box::new(self.failed(error, exit))
    }

    /// The rows of a run: those of the journal, or of one that is made now and then written down there.
    fn once(&self, plan: &Plan, run: Run, computed: &Computed) -> Result<Vec<Row>, Error> {
        let (name, sample, fuel) = match run {
            Run::Sample(sample) => (format!("{self}, sample {sample}"), sample, false),
            Run::Fuel => (format!("{self}, fuel"), 0, true),
        };
        if let Some(done) = plan.journal.and_then(|journal| journal.done(&name)) {
            let differing = computed.differing(self.cell, &done.checks);
            let void = |error| vec![self.failed(format!("the sample is void: {error}"), Exit::WrongAnswer)];
            return Ok(differing.map_or_else(|| done.rows.clone(), void));
        }
        let done = match self.sample(plan, fuel, computed) {
            Ok(reply) => {
                let counts = |metric: &Metric| !fuel || metric.name == "fuel";
                let metrics: Vec<Metric> = reply.metrics.into_iter().filter(counts).collect();
                Done { rows: self.rows(sample, &metrics), checks: reply.checks, decided: None }
            }
            Err(_) if process::interrupted() => return Err(Error::Interrupted),
            Err(row) => Done { rows: vec![*row], ..Done::default() },
        };
        if let Some(journal) = plan.journal {
            journal.record(&name, &done)?;
        }
        Ok(done.rows)
    }

    /// One run; its numbers count only if what it computed is right.
    pub fn sample(&self, plan: &Plan, fuel: bool, computed: &Computed) -> Sampled {
        match self.what {
            What::Workload(case) => self.sample_workload(plan, case, fuel),
            What::Parts(case) => {
                let workload = self.shortened(case);
                let tokens = u64::from(workload.max_tokens);
                let reply = self.ask(plan, vec![Job::Profile(workload)], false)?;
                self.check_stream(case, case.name(), tokens as usize, &reply)?;
                match probe::check_parts(tokens, self.cell.target.clock, &reply.metrics) {
                    Some(error) => Err(self.void(error, Exit::Harness)),
                    None => Ok(reply),
                }
            }
            What::Kernels => {
                let jobs = probe::kernel_jobs(self.cell);
                let reply = self.ask(plan, jobs.clone(), false)?;
                if let Some((case, message)) = reply.failures.first_key_value() {
                    return Err(self.void(format!("the runner says of {case}: {message}"), Exit::Harness));
                }
                if let Some(error) = computed.differing(self.cell, &reply.checks) {
                    return Err(self.void(format!("the sample is void: {error}"), Exit::WrongAnswer));
                }
                match probe::check_kernels(&jobs, self.cell.target.clock, &reply.metrics) {
                    Some(error) => Err(self.void(error, Exit::Harness)),
                    None => Ok(reply),
                }
            }
        }
    }

    /// Runs the jobs in a process of their own.
    fn ask(&self, plan: &Plan, jobs: Vec<Job>, fuel: bool) -> Sampled {
        let ask = Ask { model: self.model, jobs, fuel, timeout: time_limit(self.cell) };
        let reply = self.runner.run(self.cell, &ask);
        let failure =
            |error| Box::new(plan.failure(self.cell, self.workload(), &self.model.name, self.during(), &error));
        reply.map_err(failure)
    }

    /// The case as this cell is asked it.
    fn shortened(&self, case: &Case) -> Workload {
        let mut workload = case.workload.clone();
        workload.max_tokens = workload.max_tokens.min(self.most_tokens);
        workload
    }

    /// That the stream is the golden one, as far as `steps` go; `name` is what the case was asked by.
    fn check_stream(&self, case: &Case, name: &str, steps: usize, reply: &Reply) -> Result<(), Box<Row>> {
        if let Some(message) = reply.failures.get(name) {
            return Err(self.void(format!("the runner says: {message}"), Exit::Harness));
        }
        let limit = (steps < case.workload.max_tokens as usize).then_some(steps);
        let divergence = reply.streams.get(name).and_then(|stream| Divergence::find(&case.golden, stream, limit));
        if let Some(divergence) = divergence {
            let error = format!("the sample is void, its answer is wrong: {divergence}");
            return Err(self.void(error, Exit::WrongAnswer));
        }
        match stale(case, self.model) {
            Some(text) => Err(self.void(text, Exit::Harness)),
            None => Ok(()),
        }
    }

    fn sample_workload(&self, plan: &Plan, case: &Case, fuel: bool) -> Sampled {
        let workload = self.shortened(case);
        let tokens = workload.max_tokens;
        let mut reply = self.ask(plan, vec![Job::Bench(workload)], fuel)?;
        self.check_stream(case, case.name(), tokens as usize, &reply)?;
        self.check_counts(case.name(), fuel, &reply)?;
        // What a token must read: the model, once. The head is the embedding, so that is read whole as well.
        reply.metrics.push(Metric {
            case: case.name().to_string(),
            phase: Phase::Decode,
            name: "bytes".into(),
            unit: "bytes".into(),
            value: self.model.bytes * u64::from(tokens),
        });
        Ok(reply)
    }

    /// The least time of each of `phases` over some takes of a case in one process, each with its answer checked: what
    /// disturbs a take only makes it slower.
    pub fn least_times<const N: usize>(
        &self,
        plan: &Plan,
        case: &Case,
        takes: u32,
        phases: &[&str; N],
    ) -> Result<[u64; N], Box<Row>> {
        let workload = self.shortened(case);
        let steps = workload.max_tokens as usize;
        let name = |take: u32| if take == 0 { case.name().to_string() } else { format!("{}#{take}", case.name()) };
        let names: Vec<String> = (0..takes).map(name).collect();
        let job = |name: &String| Job::Bench(Workload { case: name.clone(), ..workload.clone() });
        let reply = self.ask(plan, names.iter().map(job).collect(), false)?;
        for name in &names {
            self.check_stream(case, name, steps, &reply)?;
            self.check_counts(name, false, &reply)?;
        }
        let times = |phase: &str| {
            reply.metrics.iter().filter(|m| m.phase.name() == phase && m.name == "time").map(|m| m.value).min()
        };
        // Each take was found to have them.
        Ok(phases.map(|phase| times(phase).unwrap_or(0)))
    }

    /// What each part of a case's prompt and of its tokens takes, counted by the target; natively only the answer
    /// means something, and who counts from outside knows the rest.
    pub fn parts(&self, plan: &Plan, case: &Case, fuel: bool) -> Sampled {
        let workload = self.shortened(case);
        let steps = workload.max_tokens as usize;
        let reply = self.ask(plan, vec![Job::Parts(workload)], fuel)?;
        self.check_stream(case, case.name(), steps, &reply)?;
        Ok(reply)
    }

    /// That a measured run of the case asked as `asked` has the counts that it must have, and no unknown ones.
    fn check_counts(&self, asked: &str, fuel: bool, reply: &Reply) -> Result<(), Box<Row>> {
        let known = |metric: &&Metric| {
            let of_parts = matches!(metric.phase, Phase::Profile | Phase::Kernel);
            !of_parts && !PROBED.contains(&metric.name.as_str()) && METRICS.iter().any(|(name, _)| *name == metric.name)
        };
        if let Some(metric) = reply.metrics.iter().find(|metric| !known(metric)) {
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
            let is_it = |m: &Metric| m.case == asked && m.phase.name() == phase && m.name == name;
            if !reply.metrics.iter().any(is_it) {
                return Err(self.void(format!("the answer has no {name} of {phase}"), Exit::Harness));
            }
        }
        Ok(())
    }

    fn rows(&self, sample: u32, metrics: &[Metric]) -> Vec<Row> {
        let row = |metric: &Metric| {
            let known = METRICS.iter().find(|(name, _)| *name == metric.name)?;
            Some(Row::Sample {
                target: self.cell.target.name.into(),
                variant: self.cell.variant.name.into(),
                workload: metric.case.clone(),
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
        write!(f, "{} {} {}", self.cell, self.during(), self.workload())
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
