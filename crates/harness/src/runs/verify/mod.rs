//! Correctness on every target: each chosen case on each chosen cell, bit for bit against the golden streams.

pub mod diagnose;
pub mod sessions;
mod share;

use super::plan::{Plan, QUICK_STEPS, stale, time_limit};
use crate::definitions::golden::{Case, Divergence};
use crate::definitions::metrics::{KERNELS, SESSIONS};
use crate::records::Row;
use crate::records::journal::Done;
use crate::targets::runner::{Reply, Runner};
use crate::targets::{Cell, Clock, ModelFile, RunError, RunRequest};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process;
use crate::workspace::progress::Progress;
use bitstate_protocol::{Digest, Job, Layout};
use diagnose::Difference;
use rayon::prelude::*;
use sessions::{Handover, On};
use share::Share;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Some cases of one model, the sessions of some cases of one model, or the kernel checks, on one cell.
struct Task<'a> {
    cell: Cell,
    runner: &'a Runner,
    model: &'a ModelFile,
    cases: Vec<&'a Case>,
    check: Check,
    /// Most tokens generated of each case.
    tokens: u32,
}

#[derive(PartialEq)]
enum Check {
    Streams {
        /// Whether to ask which kernels are chosen for the model's shapes: once per cell and model.
        layout: bool,
    },
    Sessions,
    Kernels,
}

/// The comparison of two cells on one case.
pub struct Compared<'a> {
    /// The case.
    pub case: &'a Case,
    /// The first difference, or the number of steps that agree; else the cell that gave no answer, and why.
    pub found: Result<Result<usize, Difference>, (Cell, RunError)>,
}

/// Compares every step of two cells, on each case of the plan.
///
/// # Errors
/// If interrupted, or if one of the cells has no runner.
pub fn diff<'a>(plan: &Plan<'a>, cells: [Cell; 2]) -> Result<Vec<Compared<'a>>, Error> {
    let progress = Progress::bar("take steps", 2 * plan.cases.len() as u64);
    let mut compared = Vec::new();
    for &case in &plan.cases {
        let Some(model) = plan.model(case) else { continue };
        let asked = diagnose::question(case, diagnose::generated(case, plan.quick));
        let steps = |cell: Cell| {
            let runner = plan.built.runners.get(cell.target.name);
            let runner = runner.ok_or_else(|| Error::CannotRun(format!("{cell} was not built")));
            let steps = runner.map_err(RunError::from).and_then(|r| diagnose::steps(cell, r, model, &asked));
            progress.step(&cell.to_string());
            steps.map_err(|error| (cell, error))
        };
        let both = steps(cells[0]).and_then(|a| steps(cells[1]).map(|b| (a, b)));
        if process::interrupted() {
            return Err(Error::Interrupted);
        }
        let found = both.map(|(a, b)| match diagnose::first_difference(asked.prompt.len(), &a, &b) {
            Some(difference) => Err(difference),
            None => Ok(a.len()),
        });
        compared.push(Compared { case, found });
    }
    Ok(compared)
}

/// Verifies the plan and returns a row for each case that a cell takes, and one for each cell's sessions and kernel checks.
///
/// # Errors
/// If interrupted, or if the journal cannot be written. A failure of a run is a row.
pub fn verify(plan: &Plan) -> Result<Vec<Row>, Error> {
    let tasks = tasks(plan);
    // Here, not by the first task that needs it, which would be called slow.
    tasks
        .par_iter()
        .filter(|task| task.check == Check::Sessions && task.is_left(plan))
        .for_each(|task| task.runner.build_for_sessions(task.cell.variant.name));
    let handover = Handover::new(plan);
    let progress = Progress::bar("verify", tasks.len() as u64);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Ok(plan.obstacles()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let started = Instant::now();
                    let rows = task.once(plan, handover.as_ref());
                    progress.took(task.name(), started.elapsed());
                    progress.step(&task.cell.to_string());
                    // A poisoned lock means that another worker panicked, which the scope reports.
                    if let Ok(mut done) = done.lock() {
                        match (rows, done.as_mut()) {
                            (Ok(rows), Ok(done)) => done.extend(rows),
                            (Err(error), Ok(_)) => *done = Err(error),
                            (_, Err(_)) => break,
                        }
                    }
                }
            });
        }
    });
    if process::interrupted() {
        return Err(Error::Interrupted);
    }
    let mut rows = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())?;
    rows.sort_by_key(row_order);
    Ok(rows)
}

fn row_order(row: &Row) -> (usize, String) {
    match row {
        Row::Verified { target, variant, workload, .. } => (position(target, variant), workload.clone()),
        Row::Skipped { target, variant, workload, .. } | Row::Failed { target, variant, workload, .. } => {
            (position(target, variant), workload.clone().unwrap_or_default())
        }
        // After all rows about checks.
        Row::Layout { target, variant, model, matrix, cols, .. } => {
            (Cell::all().count() + position(target, variant), format!("{model} {matrix} {cols}"))
        }
        _ => (usize::MAX, String::new()),
    }
}

fn position(target: &str, variant: &str) -> usize {
    Cell::all().position(|cell| cell.target.name == target && cell.variant.name == variant).unwrap_or(usize::MAX)
}

/// The runs, slow ones first; emulated targets run case by case, so that all processors are busy.
fn tasks<'a>(plan: &'a Plan<'a>) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for cell in plan.built.runnable(plan.cells) {
        let Some(runner) = plan.built.runners.get(cell.target.name) else { continue };
        for model in plan.models {
            let cases: Vec<&Case> = plan.cases.iter().copied().filter(|case| case.model == model.name).collect();
            let in_full = plan.in_full || plan.cases.len() < plan.golden.cases.len();
            let share = if in_full { Share::all(&cases) } else { Share::of(cell, model.bytes, &cases) };
            let tokens = if plan.quick { share.tokens.min(QUICK_STEPS) } else { share.tokens };
            let at_once = match cell.target.clock {
                Clock::Wall => cases.len().max(1),
                Clock::Instructions => 1,
            };
            for (i, cases) in share.cases.chunks(at_once).enumerate() {
                tasks.push(Task {
                    cell,
                    runner,
                    model,
                    cases: cases.to_vec(),
                    check: Check::Streams { layout: i == 0 },
                    tokens,
                });
            }
            let cases: Vec<&Case> = cases.into_iter().filter(|case| case.sessions).collect();
            if !cases.is_empty() && cell.target.kind.has_sessions() {
                tasks.push(Task { cell, runner, model, cases, check: Check::Sessions, tokens: u32::MAX });
            }
        }
        if let Some(model) = plan.models.iter().min_by_key(|model| model.bytes) {
            tasks.push(Task { cell, runner, model, cases: Vec::new(), check: Check::Kernels, tokens: 0 });
        }
    }
    let work = |task: &Task| -> usize {
        task.cases
            .iter()
            .map(|case| case.workload.prompt.len() + case.workload.max_tokens.min(task.tokens) as usize)
            .sum()
    };
    tasks.sort_by_key(|task| std::cmp::Reverse((task.cell.target.clock == Clock::Instructions, work(task))));
    tasks
}

impl Task<'_> {
    /// What it verifies, for people and for the journal.
    fn name(&self) -> String {
        let of: Vec<&str> = self.cases.iter().map(|case| case.name()).collect();
        let of = match self.check {
            Check::Streams { .. } => of.join(", "),
            Check::Sessions => format!("{SESSIONS} of {}", of.join(", ")),
            Check::Kernels => KERNELS.to_string(),
        };
        format!("{} verify {} {of}", self.cell, self.model.name)
    }

    /// Whether the journal does not have its rows.
    fn is_left(&self, plan: &Plan) -> bool {
        plan.journal.is_none_or(|journal| journal.done(&self.name()).is_none())
    }

    /// Its rows: from the journal, or from a run that is then recorded there.
    fn once(&self, plan: &Plan, handover: Option<&Handover>) -> Result<Vec<Row>, Error> {
        let Some(journal) = plan.journal else { return Ok(self.run(plan, handover)) };
        let task = self.name();
        if let Some(done) = journal.done(&task) {
            return Ok(done.rows.clone());
        }
        let rows = self.run(plan, handover);
        if process::interrupted() {
            return Err(Error::Interrupted);
        }
        journal.record(&task, &Done { rows: rows.clone(), ..Done::default() })?;
        Ok(rows)
    }

    fn run(&self, plan: &Plan, handover: Option<&Handover>) -> Vec<Row> {
        let Task { cell, runner, model, ref cases, .. } = *self;
        match self.check {
            Check::Streams { layout } => self.streams(plan, layout),
            // There is one, because there is a cell with a runner: this one.
            Check::Sessions => {
                handover.map(|handover| handover.row(plan, On { cell, runner, model }, cases)).into_iter().collect()
            }
            Check::Kernels => vec![match &self.ask(vec![Job::Kernels]) {
                Ok(reply) => self.judge_kernels(plan, reply),
                Err(error) => plan.failure(cell, KERNELS, &model.name, "verify", error),
            }],
        }
    }

    fn ask(&self, jobs: Vec<Job>) -> Result<Reply, RunError> {
        let ask = RunRequest { model: self.model, jobs, fuel: false, timeout: time_limit(self.cell) };
        self.runner.run(self.cell, &ask)
    }

    fn streams(&self, plan: &Plan, layout: bool) -> Vec<Row> {
        let jobs = self.cases.iter().map(|case| Job::Stream(case.workload.limited(self.tokens)));
        let reply = self.ask(jobs.chain(layout.then_some(Job::Layout)).collect());
        let row = |case: &&Case| match &reply {
            Ok(reply) => self.judge(plan, case, reply),
            Err(error) => plan.failure(self.cell, case.name(), &case.model, "verify", error),
        };
        let mut rows: Vec<Row> = self.cases.iter().map(row).collect();
        rows.extend(reply.iter().flat_map(|reply| &reply.layouts).map(|layout| self.layout_row(layout)));
        rows
    }

    fn layout_row(&self, layout: &Layout) -> Row {
        let Layout { matrix, rows, cols, count, kernel, row_tail, col_tail } = layout.clone();
        let (target, variant) = (self.cell.target.name.into(), self.cell.variant.name.into());
        let (model, count) = (self.model.name.clone(), Some(count));
        Row::Layout { target, variant, model, matrix, rows, cols, count, kernel, row_tail, col_tail }
    }

    fn verified(&self, workload: &str, steps: usize) -> Row {
        Row::Verified {
            target: self.cell.target.name.into(),
            variant: self.cell.variant.name.into(),
            workload: workload.to_string(),
            steps,
        }
    }

    /// The row of the kernel checks; a failure names the first that differs from its golden digest.
    fn judge_kernels(&self, plan: &Plan, reply: &Reply) -> Row {
        let failed = |error: String, exit| Row::failed(self.cell, Some(KERNELS), "verify", error, exit);
        if let Some(message) = reply.failures.get(KERNELS) {
            return failed(format!("the runner says: {message}"), Exit::Harness);
        }
        let golden = &plan.golden.kernels;
        let mut names = golden.keys().chain(reply.checks.keys());
        match names.find(|name| golden.get(*name) != reply.checks.get(*name)) {
            None => self.verified(KERNELS, golden.len()),
            Some(name) => {
                let show = |digest: Option<&Digest>| digest.map_or("nothing".to_string(), Digest::to_string);
                let (ours, theirs) = (show(reply.checks.get(name)), show(golden.get(name)));
                failed(format!("kernel check `{name}` gives {ours}, golden {theirs}"), Exit::WrongAnswer)
            }
        }
    }

    /// The row of one case.
    fn judge(&self, plan: &Plan, case: &Case, reply: &Reply) -> Row {
        let failed = |error: String, exit| Row::failed(self.cell, Some(case.name()), "verify", error, exit);
        if let Some(message) = reply.failures.get(case.name()) {
            return failed(format!("the runner says: {message}"), Exit::Harness);
        }
        // The runner's answer was checked to have every case that did not fail.
        let Some(stream) = reply.streams.get(case.name()) else {
            return failed("there is no answer".into(), Exit::Harness);
        };
        if let Some(divergence) = Divergence::find(&case.golden, stream, Some(self.tokens as usize)) {
            let place = self.diagnose(plan, case, divergence.step);
            let stale = stale(case, self.model).map(|text| format!("; {text}")).unwrap_or_default();
            return failed(format!("{divergence}{place}{stale}"), Exit::WrongAnswer);
        }
        match stale(case, self.model) {
            Some(text) => failed(text, Exit::Harness),
            None => self.verified(case.name(), stream.tokens.len()),
        }
    }

    /// The first step that differs from native/generic, as the end of a sentence.
    fn diagnose(&self, plan: &Plan, case: &Case, step: usize) -> String {
        let base = Cell::named("native", "generic").zip(plan.built.runners.get("native"));
        let Some((base, base_runner)) = base.filter(|(base, _)| *base != self.cell) else {
            return String::new();
        };
        // Up to the divergent step the golden tokens were chosen, with any sampler.
        let asked = diagnose::question(case, step);
        let ours = diagnose::steps(self.cell, self.runner, self.model, &asked);
        let theirs = diagnose::steps(base, base_runner, self.model, &asked);
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else {
            return String::new();
        };
        match diagnose::first_difference(asked.prompt.len(), &ours, &theirs) {
            Some(difference) => format!("; the first step that differs from {base} is {difference}"),
            None => format!("; every step agrees with {base}, so the choice or the golden file is wrong, or both are"),
        }
    }
}
