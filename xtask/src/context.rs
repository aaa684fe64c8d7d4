//! Shared by most commands: the workspace, the selection, the tools, the builds.

use crate::flags::Flags;
use anyhow::Context as _;
use bitstate_harness::definitions::expected::Expected;
use bitstate_harness::definitions::golden::{Case, Golden};
use bitstate_harness::definitions::metrics::{METRICS, SIZE};
use bitstate_harness::definitions::select::Selection;
use bitstate_harness::records::journal::{Done, Journal};
use bitstate_harness::records::{Row, Tally, provenance};
use bitstate_harness::runs::models::models;
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::targets::build::{self, Built};
use bitstate_harness::targets::{self, Cell, Clock, ModelFile};
use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::processor::Processor;
use bitstate_harness::workspace::setup::{self, Setup};
use bitstate_harness::workspace::tools::Tool;
use bitstate_harness::{Error, Exit};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The parsed request; nothing has been built yet.
pub struct Context {
    pub workspace: Workspace,
    pub selection: Selection,
    pub cells: Vec<Cell>,
    pub expected: Expected,
    pub quick: bool,
}

/// Everything a run needs: built runners and models.
pub struct Ready {
    pub context: Context,
    pub golden: Golden,
    pub built: Built,
    pub models: Vec<ModelFile>,
    pub setup: Setup,
    /// The journal of finished tasks, for a run that can be resumed.
    pub journal: Option<Journal>,
}

impl Context {
    pub fn new(flags: &Flags) -> Result<Self, Error> {
        let workspace = Workspace::find()?;
        let selection = flags.choice.selection()?;
        let cells = selection.cells()?;
        // No metric is excluded from runs, but a pattern that matches none is a mistake.
        let metrics = METRICS.iter().map(|(name, _)| *name).chain([SIZE]);
        selection.metric.choose(metrics, |name| name.to_string())?;
        let expected = Expected::load(&workspace)?;
        Ok(Context { workspace, selection, cells, expected, quick: flags.quick })
    }

    /// The same, but only with targets that are measured.
    ///
    /// # Errors
    /// Like [`new`](Context::new), and if no target is left.
    pub fn to_measure(flags: &Flags) -> Result<Self, Error> {
        let mut context = Self::new(flags)?;
        context.cells.retain(|cell| cell.target.measured);
        if context.cells.is_empty() {
            return Err(Error::Refused("the selected targets are only verified, not measured".into()));
        }
        Ok(context)
    }

    /// The same, but only with targets whose counters are compared.
    ///
    /// # Errors
    /// Like [`new`](Context::new), and if no target is left.
    pub fn to_count(flags: &Flags) -> Result<Self, Error> {
        let mut context = Self::to_measure(flags)?;
        context.cells.retain(|cell| cell.target.counted);
        if context.cells.is_empty() {
            return Err(Error::Refused("the selected targets are only timed, not counted".into()));
        }
        Ok(context)
    }

    /// Tools required by the chosen cells.
    pub fn needed_tools(&self) -> Vec<&'static Tool> {
        let needed = |tool: &&'static Tool| self.cells.iter().any(|cell| cell.target.needs.contains(tool));
        targets::tools().iter().copied().filter(needed).collect()
    }

    /// Tools required by the chosen cells, including those that count instructions.
    fn tools_to_count(&self) -> Vec<&'static Tool> {
        let of = |tool: &&'static Tool| {
            self.cells
                .iter()
                .any(|Cell { target, .. }| target.needs.contains(tool) || target.count_needs.contains(tool))
        };
        targets::tools().iter().copied().filter(of).collect()
    }

    /// Installs missing tools, including those that count, and prints the result.
    pub fn set_up(&self) -> Result<Setup, Error> {
        self.set_up_with(&[])
    }

    /// The same with more tools, which no cell requires.
    pub fn set_up_with(&self, tools: &[&'static Tool]) -> Result<Setup, Error> {
        let needed: Vec<&'static Tool> = self.tools_to_count().into_iter().chain(tools.iter().copied()).collect();
        self.set_up_tools(&needed)
    }

    fn set_up_tools(&self, needed: &[&'static Tool]) -> Result<Setup, Error> {
        let setup = setup::set_up(&self.workspace, needed)?;
        print_setup(&setup, &self.cells);
        Ok(setup)
    }

    /// The chosen cases.
    pub fn cases<'a>(&self, golden: &'a Golden) -> Result<Vec<&'a Case>, Error> {
        self.selection.workload.choose(&golden.cases, |case| case.name().to_string())
    }

    /// Sets up, builds, and generates the models of the chosen cases.
    pub fn prepare(self) -> Result<Ready, Error> {
        let needed = self.needed_tools();
        self.prepare_with(&needed)
    }

    /// The same, including the tools that count native instructions.
    pub fn prepare_to_count(self) -> Result<Ready, Error> {
        let needed = self.tools_to_count();
        self.prepare_with(&needed)
    }

    fn prepare_with(self, needed: &[&'static Tool]) -> Result<Ready, Error> {
        let golden = Golden::load(&self.workspace)?;
        let cases = self.cases(&golden)?;
        let setup = self.set_up_tools(needed)?;
        let built = build::build(&self.workspace, &self.cells, &provenance::cpu_features())?;
        let wanted: Vec<&str> = cases.iter().map(|case| case.model.as_str()).collect();
        let models = models(&self.workspace, &golden.models, &wanted)?;
        Ok(Ready { context: self, golden, built, models, setup, journal: None })
    }
}

impl Ready {
    pub fn plan(&self) -> Result<Plan<'_>, Error> {
        Ok(Plan {
            cells: &self.context.cells,
            cases: self.context.cases(&self.golden)?,
            golden: &self.golden,
            models: &self.models,
            built: &self.built,
            expected: &self.context.expected,
            can_install: self.setup.can_install,
            quick: self.context.quick,
            in_full: false,
            journal: self.journal.as_ref(),
            processor: None,
        })
    }
}

/// Prints what was installed, what is missing and what is skipped as a result.
pub fn print_setup(setup: &Setup, cells: &[Cell]) {
    if !setup.installed.is_empty() {
        eprintln!("installed: {}", setup.installed.join(" "));
    }
    if let Some(trouble) = &setup.trouble {
        eprintln!("warning: {trouble}");
    }
    for (tool, advice) in &setup.missing {
        let skipped: Vec<String> =
            cells.iter().filter(|cell| cell.target.needs.contains(tool)).map(Cell::to_string).collect();
        eprintln!("missing: {}; skipped without it: {}", tool.title, skipped.join(", "));
        eprintln!("  to install it: {advice}");
    }
}

/// Prints failures, skips and a line with the totals; returns the exit code.
pub fn print_results(rows: &[Row]) -> Exit {
    print_gaps(rows);
    let tally = Tally::of(rows);
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    tally.exit
}

/// Prints failures and skips.
pub fn print_gaps(rows: &[Row]) {
    for row in rows {
        match row {
            Row::Failed { target, variant, workload, during, error, exit } => {
                let what = if *exit == Exit::WrongAnswer.code() { "WRONG" } else { "FAILED" };
                let workload = workload.as_deref().unwrap_or("everything");
                println!("{what}  {target}/{variant}  {workload}  ({during}): {error}");
            }
            Row::Skipped { target, variant, workload, reason, expected, .. } => {
                let note = if *expected { "" } else { ", which ci/expected.toml does not list" };
                let workload = workload.as_deref().unwrap_or("everything");
                println!("skipped  {target}/{variant}  {workload}: {reason}{note}");
            }
            _ => {}
        }
    }
}

/// See [`waiting`].
static WAITING: OnceLock<bool> = OnceLock::new();

/// Sets, once, whether to wait for other runs.
pub fn set_waiting(waits: bool) {
    let _ = WAITING.set(waits);
}

/// Whether to wait for other runs: without `--no-wait`.
pub fn waiting() -> bool {
    WAITING.get().copied().unwrap_or(true)
}

/// The command line that started this run.
pub fn command_line() -> String {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|part| part.to_string_lossy().into_owned()).collect();
    format!("cargo xtask {}", arguments.join(" "))
}

/// Reserves the processor for timed runs: `wanted`, or that of a resumed run, or one of the fastest kind.
/// `None` if no cell of the plan is timed.
pub fn processor(plan: &Plan, wanted: Option<usize>) -> Result<Option<Processor>, Error> {
    const PIECE: &str = "processor";
    if !plan.built.runnable(plan.cells).iter().any(|cell| cell.target.clock == Clock::Wall) {
        return Ok(None);
    }
    let had = plan.journal.and_then(|journal| journal.done(PIECE)?.decided);
    let processor = Processor::reserve(wanted.or(had.map(|number| number as usize)), waiting())?;
    if let Some(journal) = plan.journal.filter(|_| had.is_none()) {
        let decided = u32::try_from(processor.number()).ok();
        journal.record(PIECE, &Done { decided, ..Done::default() })?;
    }
    Ok(Some(processor))
}

/// The path of this program. If cargo has relinked it since it started, as happens in its own tests, the system
/// reports the running file as deleted; the new one has the same path.
pub fn this_program() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe().context("cannot find this program")?;
    let rebuilt = path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(rebuilt.filter(|path| path.exists()).unwrap_or(path))
}
