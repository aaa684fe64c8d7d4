//! Chooses the published run that the README shows: of the full ones the one of the newest commit; and beside it, for
//! every other kind of CPU, the newest that is fit, for a speed on one says nothing about another.
//!
//! The date of publication does not matter: an older commit may be measured later, and one cell again. So a run is not
//! shown if it was quick, if its tree had local changes, if something failed in it, or if it lacks a number that
//! another eligible run has for a target, variant and workload that still exist.

use super::stored::{folders, started};
use crate::definitions::workloads;
use crate::records::{Part, Row, read_parts, records_of};
use crate::report::summary::report::Report;
use crate::report::tables::overview::{Line, lines};
use crate::targets::Cell;
use crate::targets::skip::Cause;
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The choice, and the other runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The folder of the run; none if no published run may be shown.
    pub folder: Option<PathBuf>,
    /// The newest fit run of each other kind of CPU, the newest first.
    pub beside: Vec<PathBuf>,
    /// Every other run, the newest first, with the reason.
    pub others: Vec<(PathBuf, String)>,
}

/// A number of the README's table: target, variant, workload and column.
type Number = (String, String, String, &'static str);

struct Run {
    folder: PathBuf,
    /// The commit date, or if unknown the date of measurement.
    committed: String,
    started: String,
    /// The maker of its CPU.
    cpu: String,
    numbers: BTreeSet<Number>,
    skips: Vec<Skip>,
    /// Why it may not be shown regardless of the others.
    unfit: Option<String>,
}

/// A cell that this machine cannot run, on one workload or on all.
struct Skip {
    target: String,
    variant: String,
    workload: Option<String>,
}

/// Chooses among the published runs.
///
/// # Errors
/// If the records of one cannot be read.
pub fn shown(workspace: &Workspace) -> Result<Shown, Error> {
    let mut runs = folders(workspace).into_iter().map(Run::read).collect::<Result<Vec<Run>, Error>>()?;
    runs.sort_by(|a, b| b.order().cmp(&a.order()));
    let workloads = defined(workspace)?;
    let is_there = |(target, variant, workload, _): &&Number| {
        Cell::named(target, variant).is_some() && workloads.contains(workload)
    };
    let fit = runs.iter().filter(|run| run.unfit.is_none());
    let needed: BTreeSet<Number> = fit.flat_map(|run| &run.numbers).filter(is_there).cloned().collect();
    let chosen = runs.iter().position(|run| run.why_not(&needed).is_none());
    let beside = chosen.map_or(Vec::new(), |chosen| beside(&runs, chosen));
    let folder = |at: usize| runs[at].folder.clone();
    let mut shown =
        Shown { folder: chosen.map(folder), beside: beside.iter().copied().map(folder).collect(), others: Vec::new() };
    for (i, run) in runs.iter().enumerate().filter(|(i, _)| Some(*i) != chosen && !beside.contains(i)) {
        let older = || {
            let newest = chosen.map(|chosen| &runs[chosen]).filter(|_| chosen < Some(i));
            newest.map_or(String::new(), |newest| newest.is_newer_than(run, workspace))
        };
        let why = run.why_not(&needed).unwrap_or_else(older);
        shown.others.push((run.folder.clone(), why));
    }
    Ok(shown)
}

/// The newest fit run of each kind of CPU but that of `chosen`, by index.
fn beside(runs: &[Run], chosen: usize) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for (i, run) in runs.iter().enumerate().filter(|(_, run)| run.unfit.is_none()) {
        if std::iter::once(&chosen).chain(&found).all(|other| runs[*other].cpu != run.cpu) {
            found.push(i);
        }
    }
    found
}

/// The workloads that exist.
fn defined(workspace: &Workspace) -> Result<Vec<String>, Error> {
    if !workspace.root.join(workloads::FILE).is_file() {
        return Ok(Vec::new());
    }
    Ok(workloads::read(workspace)?.1.into_iter().map(|named| named.case).collect())
}

impl Run {
    fn read(folder: PathBuf) -> Result<Self, Error> {
        let parts = read_parts(&records_of(&folder))?;
        let mut run = Run {
            committed: parts.iter().find_map(|part| part.provenance.committed.clone()).unwrap_or_default(),
            started: started(&parts).to_string(),
            cpu: parts.first().map(|part| maker(&part.provenance.cpu).to_string()).unwrap_or_default(),
            unfit: unfit(&parts),
            folder,
            numbers: BTreeSet::new(),
            skips: Vec::new(),
        };
        if run.committed.is_empty() {
            run.committed.clone_from(&run.started);
        }
        for part in &parts {
            let report = Report::of(part.provenance.clone(), &part.rows);
            for Line { workload, cell, columns } in lines(&report) {
                let (target, variant) = (cell.target.name, cell.variant.name);
                let there = columns.iter().filter(|(_, value)| value.is_some());
                let number = |name| (target.to_string(), variant.to_string(), workload.clone(), name);
                run.numbers.extend(there.map(|(name, _)| number(*name)));
            }
            run.skips.extend(part.rows.iter().filter_map(Skip::of));
        }
        if run.numbers.is_empty() && run.unfit.is_none() {
            run.unfit = Some("it has none of the table's numbers".into());
        }
        Ok(run)
    }

    fn order(&self) -> (&str, &str, &PathBuf) {
        (&self.committed, &self.started, &self.folder)
    }

    /// Why it may not be shown, if so.
    fn why_not(&self, needed: &BTreeSet<Number>) -> Option<String> {
        if self.unfit.is_some() {
            return self.unfit.clone();
        }
        let mut lacking = needed.iter().filter(|number| !self.has(number));
        let (target, variant, workload, column) = lacking.next()?;
        let more = lacking.count();
        let more = if more > 0 { format!(" and {more} more numbers") } else { String::new() };
        Some(format!("it lacks {column} of {target}/{variant} on `{workload}`{more}, which another run has"))
    }

    fn has(&self, number: &Number) -> bool {
        let (target, variant, workload, _) = number;
        let skips = |skip: &Skip| {
            skip.target == *target
                && skip.variant == *variant
                && skip.workload.as_ref().is_none_or(|skipped| skipped == workload)
        };
        self.numbers.contains(number) || self.skips.iter().any(skips)
    }

    fn is_newer_than(&self, other: &Run, workspace: &Workspace) -> String {
        let shown = workspace.show(&self.folder);
        if self.committed == other.committed {
            return format!("{shown} is of the same commit and was measured later");
        }
        format!("its commit, of {}, is older than that of {shown}, of {}", other.committed, self.committed)
    }
}

impl Skip {
    /// A skip caused by the machine or the target: a CPU without the instructions, or too little memory. A skip for a
    /// tool that is not installed counts as a missing number.
    fn of(row: &Row) -> Option<Self> {
        match row {
            Row::Skipped { target, variant, workload, cause: Cause::Memory | Cause::Cpu, expected: true, .. } => {
                Some(Skip { target: target.clone(), variant: variant.clone(), workload: workload.clone() })
            }
            _ => None,
        }
    }
}

/// The maker of a CPU: the first word of its name.
fn maker(cpu: &str) -> &str {
    let end = cpu.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(cpu.len());
    &cpu[..end]
}

/// Why a run may not be shown, regardless of other published runs.
fn unfit(parts: &[Part]) -> Option<String> {
    if parts.iter().any(|part| part.provenance.quick) {
        return Some("it is a quick run".into());
    }
    if parts.iter().any(|part| part.provenance.dirty) {
        return Some("its tree had uncommitted changes".into());
    }
    let failed = parts.iter().flat_map(|part| &part.rows).filter(|row| matches!(row, Row::Failed { .. })).count();
    (failed > 0).then(|| format!("{failed} of its runs failed"))
}
