//! `cargo xtask gate` and `cargo xtask baseline`.

use crate::context::{Context, Ready, print_gaps};
use crate::flags::Flags;
use anyhow::bail;
use bitstate_harness::definitions::golden::Golden;
use bitstate_harness::definitions::metrics::{EVERY_VARIANT, SIZE};
use bitstate_harness::definitions::select::Selection;
use bitstate_harness::definitions::thresholds::Thresholds;
use bitstate_harness::records::counter::Counter;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::report::{markdown, tables};
use bitstate_harness::runs::count::{self, Counts, parts};
use bitstate_harness::targets::Cell;
use bitstate_harness::targets::skip::{Cause, Skip};
use bitstate_harness::verdicts::baseline;
use bitstate_harness::verdicts::gate::{self, Finding, Scope, Status};
use bitstate_harness::workspace::{Workspace, write_atomic};
use bitstate_harness::{Error, Exit};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// The help of `cargo xtask gate` apart from its flags, which all commands share.
pub const HELP: &str = "\
Every counter is counted twice and must agree: native instructions by callgrind around load, prefill and decode only,
fuel under wasmtime, instructions under QEMU, allocations, memory, sizes. No clock is read. Changes are printed first;
the whole verdict is in target/bitstate/gate/, in its own file, and the latest one also in verdict.json. Thresholds and
caps: ci/thresholds.toml.
For instructions and fuel beyond their threshold, the steps are counted too and compared with the baseline: which of
ternary matrices, head, WKV, norms, other steps and sampling changed, and by how much.

Status of a counter, with its exit code:
  over_cap, regression          1  above a cap, or above its baseline by more than the threshold
  missing, no_baseline, stale   2  in the baseline only, counted only, or of a removed workload
  not_comparable                3  another model, compiler or counting tool than the baseline's
  unconfirmed                   0  changed, as did variants accepted later on a machine that cannot run this one
  improvement, unchanged        0
A variant that no accepting machine could run is skipped; that gives 3 unless ci/expected.toml lists it. The first
machine that can run it accepts it: cargo xtask baseline accept --variant NAME --reason WHY.

Examples:
  cargo xtask gate
  cargo xtask gate --target native --workload stories-byte --metric instructions
  cargo xtask baseline accept --reason 'the head reads both digits'";

/// What to do with the baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Print the baselines, and who accepted them when and why
    Show(Flags),
    /// Count as `gate` does and write the counters into ci/baselines/, with who, when, why and the changes
    Accept(AcceptFlags),
}

/// Flags of `baseline accept`.
#[derive(Debug, Args)]
pub struct AcceptFlags {
    /// What to accept.
    #[command(flatten)]
    pub flags: Flags,
    /// The reason for the change, for later readers
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Version of the format of the verdict file.
const VERDICT_SCHEMA: u64 = 1;

pub fn run(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::to_count(flags)?;
    // Errors in these files are reported before anything is built.
    let thresholds = Thresholds::load(&context.workspace)?;
    let baselines = baseline::load(&context.workspace)?;
    if flags.dry_run {
        return dry_run(&context);
    }
    let (ready, mut counts, provenance) = count(context)?;
    let accepted: Vec<Counter> = baselines.into_values().flat_map(|baseline| baseline.rows).collect();
    let mut findings = judge(&ready, &thresholds, &accepted, &counts);
    if findings.iter().any(Finding::wants_parts) {
        let wanted = |counter: &Counter| findings.iter().any(|finding| finding.wants_parts() && finding.is_of(counter));
        let scratch = ready.context.workspace.temporary();
        counts.rows.extend(parts::attach(&ready.plan()?, &scratch, &mut counts.counters, &wanted)?);
        findings = judge(&ready, &thresholds, &accepted, &counts);
    }
    set_unaccepted_aside(&ready, &accepted, &mut findings, &mut counts.rows);
    let exit = Tally::of(&counts.rows).exit.worst(gate::exit(&findings));

    let verdict = json!({
        "schema": VERDICT_SCHEMA, "exit": exit.code(), "command": provenance.command, "commit": provenance.commit,
        "dirty": provenance.dirty, "started": provenance.started, "tools": provenance.tools,
        "counted": counts.counters.len(), "findings": findings, "failed_and_skipped": counts.rows,
    });
    let path = keep(&ready.context.workspace, &format!("{verdict:#}\n"), &provenance.started)?;
    if flags.json {
        println!("{verdict:#}");
        return Ok(exit);
    }
    print_changes(&findings);
    if findings.iter().any(|finding| !matches!(finding.status, Status::OverCap | Status::Unchanged)) {
        println!("if that is right: `cargo xtask baseline accept --reason WHY` accepts the counters of this build");
    }
    print_gaps(&counts.rows);
    let of = |status| findings.iter().filter(|finding| finding.status == status).count();
    let failed = match Tally::of(&counts.rows).failed {
        0 => String::new(),
        n => format!("{n} runs FAILED; "),
    };
    println!(
        "{failed}{} counters: {} regressions, {} improvements, {} unchanged, {} not comparable, {} without a pair; exit {}",
        counts.counters.len(),
        of(Status::Regression) + of(Status::OverCap),
        of(Status::Improvement),
        of(Status::Unchanged),
        of(Status::NotComparable),
        of(Status::Missing) + of(Status::NoBaseline) + of(Status::Stale),
        exit.code()
    );
    println!("verdict: {}", ready.context.workspace.show(&path));
    Ok(exit)
}

/// Writes a verdict to its own file, whose path is returned, and to that of the latest one.
fn keep(workspace: &Workspace, verdict: &str, started: &str) -> Result<PathBuf, Error> {
    let folder = workspace.scratch().join("gate");
    let path = folder.join(format!("{}-{}.json", started.replace(':', ""), std::process::id()));
    write_atomic(&path, verdict.as_bytes())?;
    write_atomic(&folder.join("verdict.json"), verdict.as_bytes())?;
    Ok(path)
}

/// Replaces the findings of a variant without accepted counters with a skip.
fn set_unaccepted_aside(ready: &Ready, accepted: &[Counter], findings: &mut Vec<Finding>, rows: &mut Vec<Row>) {
    for (target, variant) in gate::take_unaccepted(findings, accepted) {
        let Some(cell) = Cell::named(&target, &variant) else { continue };
        let reason = format!(
            "no machine with such a CPU has accepted its counters; this one can: \
             `cargo xtask baseline accept --target '^{target}$' --variant '^{variant}$' --reason WHY`"
        );
        let skip = Skip { cause: Cause::Unaccepted, reason };
        let expected = ready.context.expected.exit(cell, None, skip.cause, ready.setup.can_install) == Exit::Pass;
        rows.push(Row::skipped(cell, None, &skip, expected));
    }
}

pub fn baseline(command: &BaselineCommand) -> anyhow::Result<Exit> {
    match command {
        BaselineCommand::Show(flags) => show(flags),
        BaselineCommand::Accept(flags) => accept(flags),
    }
}

fn dry_run(context: &Context) -> anyhow::Result<Exit> {
    let golden = Golden::load(&context.workspace)?;
    for case in context.cases(&golden)?.into_iter().filter(|case| case.bench) {
        for cell in context.cells.iter().filter(|cell| case.is_measured_with(cell.variant.name)) {
            println!("would count {cell} {} twice", case.name());
        }
    }
    Ok(Exit::Pass)
}

fn count(context: Context) -> anyhow::Result<(Ready, Counts, Provenance)> {
    let ready = context.prepare_to_count()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = format!("cargo xtask {}", arguments.join(" "));
    let provenance = Provenance { command, ..Provenance::collect(&ready.context.workspace) };
    let scratch = ready.context.workspace.temporary();
    let mut counts = count::count(&ready.plan()?, &scratch, &provenance)?;
    counts.counters.retain(|counter| ready.context.selection.metric.matches(&counter.metric));
    if counts.counters.is_empty() && counts.rows.is_empty() {
        bail!("nothing was counted: no counter matches --metric");
    }
    Ok((ready, counts, provenance))
}

fn judge(ready: &Ready, thresholds: &Thresholds, accepted: &[Counter], counts: &Counts) -> Vec<Finding> {
    let selection = &ready.context.selection;
    let scope = Scope {
        selected: &|row| selected(selection, row),
        excused: &|row| counts.rows.iter().any(|gap| excuses(gap, row)),
        stale: &|row| stale(&ready.golden, row),
    };
    gate::judge(thresholds, accepted, &counts.counters, &scope)
}

/// Whether a row is selected. Sizes have no workload.
fn selected(selection: &Selection, row: &Counter) -> bool {
    let variant = row.variant == EVERY_VARIANT || selection.variant.matches(&row.variant);
    let workload =
        if row.metric == SIZE { selection.workload.is_empty() } else { selection.workload.matches(&row.workload) };
    selection.target.matches(&row.target) && variant && workload && selection.metric.matches(&row.metric)
}

/// Whether a failure or skip explains why a row was not counted. A variant that cannot be counted at all has no such
/// rows.
fn excuses(gap: &Row, row: &Counter) -> bool {
    let (target, variant, workload) = match gap {
        Row::Skipped { cause: Cause::Unsupported, .. } => return false,
        Row::Skipped { target, variant, workload, .. } | Row::Failed { target, variant, workload, .. } => {
            (target, variant, workload)
        }
        _ => return false,
    };
    let cell = *target == row.target && (*variant == row.variant || row.variant == EVERY_VARIANT);
    cell && workload.as_ref().is_none_or(|workload| *workload == row.workload)
}

/// Why a row of the baseline is stale, if so.
fn stale(golden: &Golden, row: &Counter) -> Option<String> {
    if row.variant != EVERY_VARIANT && Cell::named(&row.target, &row.variant).is_none() {
        return Some(format!("target `{}` has no variant `{}`", row.target, row.variant));
    }
    let case = golden.cases.iter().find(|case| case.bench && case.name() == row.workload);
    match case {
        _ if row.metric == SIZE => None,
        None => Some(format!("there is no timed workload `{}`", row.workload)),
        Some(case) if row.variant != EVERY_VARIANT && !case.is_measured_with(&row.variant) => {
            Some(format!("`{}` is not measured with `{}`", row.workload, row.variant))
        }
        Some(_) => None,
    }
}

/// Prints the changes, the most important first.
pub fn print_changes(findings: &[Finding]) {
    let changed: Vec<&Finding> = findings.iter().filter(|finding| finding.changed()).collect();
    if changed.is_empty() {
        return;
    }
    let show = |value: Option<u64>| value.map_or("–".to_string(), |value| tables::number(value as f64));
    let row = |finding: &&Finding| {
        vec![
            finding.status.name().to_string(),
            format!("{}/{}", finding.target, finding.variant),
            finding.workload.clone(),
            format!("{} {}", finding.phase, finding.metric),
            show(finding.baseline),
            show(finding.value),
            finding.change().map_or("–".into(), |change| format!("{:+.2} %", change * 100.0)),
            finding.sentence.clone(),
        ]
    };
    let columns = ["status", "cell", "workload", "counter", "accepted", "now", "change", ""];
    let table = tables::Table {
        title: "Changes".into(),
        note: String::new(),
        columns: columns.map(str::to_string).into(),
        rows: changed.iter().map(row).collect(),
        folded: false,
    };
    print!("{}", markdown::plain(&table));
    for finding in changed.iter().filter(|finding| finding.wants_parts()) {
        let Finding { target, variant, workload, phase, metric, .. } = finding;
        let change = finding.change().map_or("from nothing".into(), |change| format!("{:+.2} %", change * 100.0));
        println!("{target}/{variant} {workload} {phase} {metric} {change}: {}", finding.parts_in_words());
    }
}

fn show(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::to_count(flags)?;
    let baselines = baseline::load(&context.workspace)?;
    let rows: Vec<&Counter> =
        baselines.values().flat_map(|b| &b.rows).filter(|row| selected(&context.selection, row)).collect();
    if flags.json {
        let history: Vec<_> =
            baselines.iter().map(|(target, b)| json!({"target": target, "history": b.history})).collect();
        println!("{:#}", json!({"rows": rows, "targets": history}));
    } else {
        for (target, baseline) in &baselines {
            if let Some(last) = baseline.history.last() {
                println!("{target}: accepted {} by {} at commit {}: {}", last.when, last.who, last.commit, last.reason);
            }
        }
        for row in &rows {
            println!("{:<90} {:>16} {}", row.to_string(), tables::number(row.value as f64), row.unit);
        }
    }
    if rows.is_empty() {
        bail!("no accepted counter matches; `cargo xtask baseline accept --reason WHY` accepts the first ones");
    }
    Ok(Exit::Pass)
}

fn accept(flags: &AcceptFlags) -> anyhow::Result<Exit> {
    let context = Context::to_count(&flags.flags)?;
    let thresholds = Thresholds::load(&context.workspace)?;
    if !flags.reason.chars().any(char::is_alphanumeric) {
        bail!("--reason is empty: a later reader needs to know why this change is right");
    }
    if flags.flags.dry_run {
        return dry_run(&context);
    }
    let (ready, mut counts, provenance) = count(context)?;
    // The steps are kept with the counters, so that a later gate can identify which of them changed.
    let scratch = ready.context.workspace.temporary();
    let rows = parts::attach(&ready.plan()?, &scratch, &mut counts.counters, &|_| true)?;
    counts.rows.extend(rows);
    print_gaps(&counts.rows);
    let tally = Tally::of(&counts.rows);
    if tally.failed > 0 {
        println!("nothing was accepted: {} runs failed", tally.failed);
        return Ok(tally.exit);
    }
    let over = judge(&ready, &thresholds, &[], &counts);
    let over: Vec<&Finding> = over.iter().filter(|finding| finding.status == Status::OverCap).collect();
    if let Some(finding) = over.first() {
        println!(
            "nothing was accepted: {}/{} {} {}: {}",
            finding.target, finding.variant, finding.workload, finding.metric, finding.sentence
        );
        return Ok(Exit::Regression);
    }
    let selection = &ready.context.selection;
    let replaced = |row: &Counter| {
        let gone = stale(&ready.golden, row).is_some();
        gone || (selected(selection, row) && !counts.rows.iter().any(|gap| excuses(gap, row)))
    };
    let workspace = &ready.context.workspace;
    let changed = baseline::accept(workspace, &counts.counters, replaced, &flags.reason, &provenance)?;
    for (target, changes) in &changed {
        println!("{}: {} values changed", workspace.show(&baseline::path(workspace, target)), changes.len());
        for change in changes {
            let show = |value: Option<u64>| value.map_or("nothing".to_string(), |value| tables::number(value as f64));
            println!("  {}: {} to {}", change.row, show(change.from), show(change.to));
        }
    }
    if changed.is_empty() {
        println!("nothing changed: the accepted counters are those of this build");
    }
    Ok(tally.exit)
}

#[cfg(test)]
mod tests {
    use super::keep;
    use bitstate_harness::workspace::Workspace;

    #[test]
    fn the_verdicts_of_two_runs_are_both_kept_and_the_last_has_the_known_name() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: folder.path().into(), target: folder.path().join("target") };
        let first = keep(&workspace, "first", "2026-01-31T10:00:00Z").unwrap();
        let second = keep(&workspace, "second", "2026-01-31T10:00:09Z").unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!([read(&first), read(&second)], ["first", "second"]);
        assert_eq!(read(&folder.path().join("target/bitstate/gate/verdict.json")), "second");
    }
}
