//! The plan of a command: cells, cases and models, with everything that a run needs.

use crate::definitions::expected::Expected;
use crate::definitions::golden::{Case, Golden};
use crate::records::Row;
use crate::records::journal::Journal;
use crate::targets::build::Built;
use crate::targets::{Cell, Clock, ModelFile, RunError};
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::processor::Processor;
use std::time::Duration;

/// Steps compared in a quick run; a full run compares all.
pub const QUICK_STEPS: u32 = 16;

/// Everything that verifying and measuring need.
pub struct Plan<'a> {
    /// The chosen cells.
    pub cells: &'a [Cell],
    /// The chosen cases.
    pub cases: Vec<&'a Case>,
    /// All golden data.
    pub golden: &'a Golden,
    /// The models of the chosen cases.
    pub models: &'a [ModelFile],
    /// The runners, and build failures.
    pub built: &'a Built,
    /// The expected skips.
    pub expected: &'a Expected,
    /// Whether `setup` can install tools here.
    pub can_install: bool,
    /// Whether to take fewer steps or samples.
    pub quick: bool,
    /// Whether every cell verifies every case in full, also those whose code another one runs.
    pub in_full: bool,
    /// The journal of finished tasks, for a run that can be resumed.
    pub journal: Option<&'a Journal>,
    /// The processor that timed runs are pinned to; without one the system chooses.
    pub processor: Option<&'a Processor>,
}

impl<'a> Plan<'a> {
    /// The model file of a case.
    pub fn model(&self, case: &Case) -> Option<&'a ModelFile> {
        self.models.iter().find(|model| model.name == case.model)
    }

    /// The timed cases.
    ///
    /// # Errors
    /// If there is none that is measured with a variant of the plan.
    pub fn timed(&self) -> Result<Vec<&'a Case>, Error> {
        let measured = |case: &&Case| self.cells.iter().any(|cell| case.is_measured_with(cell.variant.name));
        let cases: Vec<&Case> = self.cases.iter().copied().filter(measured).collect();
        if cases.is_empty() {
            let text = "no chosen workload is measured with a chosen variant: `cargo xtask list` shows which are";
            return Err(Error::Refused(text.into()));
        }
        Ok(cases)
    }

    /// Rows for the cells that cannot run at all, and for stale golden files.
    pub fn obstacles(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (cell, skip) in &self.built.skips {
            let exit = self.expected.exit(*cell, None, skip.cause, self.can_install);
            rows.push(Row::skipped(*cell, None, skip, exit == Exit::Pass));
        }
        for (cell, error) in &self.built.failures {
            rows.push(Row::failed(*cell, None, "build", error.to_string(), error.exit()));
        }
        rows
    }

    /// The row for a run without a usable answer.
    pub fn failure(&self, cell: Cell, case: &str, model: &str, during: &str, error: &RunError) -> Row {
        match error {
            RunError::Skipped(skip) => {
                let exit = self.expected.exit(cell, Some((model, case)), skip.cause, self.can_install);
                Row::skipped(cell, Some(case), skip, exit == Exit::Pass)
            }
            error => Row::failed(cell, Some(case), during, error.to_string(), error.exit()),
        }
    }
}

/// Time limit of a run of a cell: emulated targets are slow.
pub fn time_limit(cell: Cell) -> Duration {
    Duration::from_secs(match cell.target.clock {
        Clock::Wall => 300,
        Clock::Instructions => 1500,
    })
}

/// Why a golden file does not match the current case or model, if so.
pub fn stale(case: &Case, model: &ModelFile) -> Option<String> {
    let advice = "`cargo xtask golden --bless` regenerates it";
    if case.golden.model != model.digest {
        let (made, file) = (case.golden.model, model.digest);
        return Some(format!("stale golden file: made with model {made}, the file is {file} now; {advice}"));
    }
    case.golden.stale.as_ref().map(|text| format!("stale golden file: {text}; {advice}"))
}
