//! Builds the runners of the chosen cells.

use super::kind::Variant;
use super::runner::Runner;
use super::skip::{Cause, Skip};
use super::target::{Cell, Target};
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use crate::workspace::process::interrupted;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The built runners.
#[derive(Debug, Default)]
pub struct Built {
    /// The runner of each target, by its name.
    pub runners: BTreeMap<&'static str, Runner>,
    /// Cells that cannot be built or run on this machine, with the reason.
    pub skips: Vec<(Cell, Skip)>,
    /// Cells whose build failed, with the error.
    pub failures: Vec<(Cell, Error)>,
}

impl Built {
    /// The cells among `cells` that can run.
    pub fn runnable(&self, cells: &[Cell]) -> Vec<Cell> {
        let out = |cell: &Cell| {
            self.skips.iter().any(|(skipped, _)| skipped == cell)
                || self.failures.iter().any(|(failed, _)| failed == cell)
        };
        cells.iter().copied().filter(|cell| !out(cell)).collect()
    }
}

/// Why this machine cannot run a cell at all, if so.
pub fn obstacle(cell: Cell, cpu_features: &str) -> Option<Skip> {
    let missing = cell.missing_cpu(cpu_features);
    if !missing.is_empty() {
        let cpu = cell.target.kind.cpu().map_or("this CPU", |cpu| cpu.name);
        let reason = format!("{cpu} has no {}", missing.join(", "));
        return Some(Skip { cause: Cause::Cpu, reason });
    }
    let tools: Vec<&str> =
        cell.target.needs.iter().filter(|tool| tool.find().is_none()).map(|tool| tool.title).collect();
    let reason = format!("not installed: {}", tools.join(", "));
    (!tools.is_empty()).then_some(Skip { cause: Cause::Tools, reason })
}

/// Builds the runners that the cells need. A target that fails to build does not stop the others.
///
/// # Errors
/// If interrupted, or if no selected cell can run here: skipping everything must not pass, least of all a variant
/// selected by name.
pub fn build(workspace: &Workspace, cells: &[Cell], cpu_features: &str) -> Result<Built, Error> {
    let mut built = Built::default();
    for &cell in cells {
        if let Some(skip) = obstacle(cell, cpu_features) {
            built.skips.push((cell, skip));
        }
    }
    if built.runnable(cells).is_empty() {
        let reasons = built.skips.iter().map(|(cell, skip)| format!("{cell}: {}", skip.reason));
        return Err(Error::CannotRun(reasons.collect::<Vec<_>>().join("; ")));
    }
    let mut targets: Vec<(&'static Target, Vec<Cell>)> = Vec::new();
    for cell in built.runnable(cells) {
        match targets.iter_mut().find(|(target, _)| *target == cell.target) {
            Some((_, of_target)) => of_target.push(cell),
            None => targets.push((cell.target, vec![cell])),
        }
    }
    // For most of a build the compiler is busy with one crate, on one processor.
    let runners = targets.into_par_iter().map(|(target, cells)| {
        let variants: Vec<&'static Variant> = cells.iter().map(|cell| cell.variant).collect();
        (target, target.kind.build(workspace, target.name, &variants).map_err(|error| (error, cells)))
    });
    for (target, runner) in runners.collect::<Vec<_>>() {
        match runner {
            Ok(runner) => {
                built.runners.insert(target.name, runner.into());
            }
            Err(_) if interrupted() => return Err(Error::Interrupted),
            Err((error, cells)) => {
                let text = error.to_string();
                built.failures.extend(cells.into_iter().map(|cell| (cell, Error::Refused(text.clone()))));
            }
        }
    }
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::{build, obstacle};
    use crate::targets::target::Cell;
    use crate::workspace::Workspace;

    #[test]
    fn a_variant_that_the_cpu_cannot_run_is_skipped_with_the_missing_features() {
        let cell = Cell::named("native", "avx512_vnni").unwrap();
        let skip = obstacle(cell, "fpu avx2 avx512f avx512bw avx512_vnni").unwrap();
        assert_eq!(skip.reason, "this CPU has no avx512vl");
        assert_eq!(obstacle(cell, "avx2 avx512f avx512bw avx512vl avx512_vnni"), None);
    }

    #[test]
    fn when_nothing_that_was_asked_for_can_run_that_is_an_error() {
        let workspace = Workspace::find().unwrap();
        let cells = ["avx2", "avx_vnni"].map(|variant| Cell::named("native", variant).unwrap());
        let error = build(&workspace, &cells, "fpu sse2").unwrap_err();
        assert_eq!(error.exit().code(), 3);
        assert_eq!(
            error.to_string(),
            "nothing of what is selected can run here: native/avx2: this CPU has no avx2; \
             native/avx_vnni: this CPU has no avx2, avx_vnni"
        );
    }
}
