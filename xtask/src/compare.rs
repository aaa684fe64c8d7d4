//! `cargo xtask compare`.

use crate::context::print_gaps;
use crate::flags::Choice;
use anyhow::bail;
use bitstate_harness::Exit;
use bitstate_harness::definitions::thresholds::Thresholds;
use bitstate_harness::records::counter::{Counter, of_records};
use bitstate_harness::records::{self, Row, Tally};
use bitstate_harness::verdicts::gate::{self, Scope};
use bitstate_harness::workspace::Workspace;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Flags of `compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Instructions, fuel, allocations, memory and sizes are compared with the thresholds of the gate, if model, tokens,
compiler and counting tool match. Times are not compared: two sessions differ by more than most changes.

Exit codes:
  0  no counter rose by more than its threshold      2  a counter is in one run only, or a file cannot be read
  1  one did                                         3  a counter was taken with another model, compiler or tool

Example:
  cargo xtask compare reports/2026-01-31-before reports/2026-02-01-after --target xtensa")]
#[command(mut_arg("metric", |metric| metric.help("Only counters that match")))]
pub struct CompareFlags {
    /// Folder of the baseline run, or its records.jsonl
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Folder of the run to judge, or its records.jsonl
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Which counters.
    #[command(flatten)]
    pub choice: Choice,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run(flags: &CompareFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let thresholds = Thresholds::load(&workspace)?;
    let (old, _) = read(&flags.old)?;
    let (new, rows) = read(&flags.new)?;
    let selection = flags.choice.selection()?;
    let chosen = |counter: &Counter| {
        let workload = selection.workload.is_empty() || selection.workload.matches(&counter.workload);
        workload
            && selection.target.matches(&counter.target)
            && selection.variant.matches(&counter.variant)
            && selection.metric.matches(&counter.metric)
    };
    let keep = |counters: Vec<Counter>| counters.into_iter().filter(|counter| chosen(counter)).collect::<Vec<_>>();
    let (old, new) = (keep(old), keep(new));
    if old.is_empty() && new.is_empty() {
        bail!("neither run has a selected counter; times are not compared across runs: `cargo xtask ab` does that");
    }
    let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &|_| None };
    let findings = gate::judge(&thresholds, &old, &new, &scope);
    let exit = Tally::of(&rows).exit.worst(gate::exit(&findings));
    if flags.json {
        println!("{:#}", json!({"old": flags.old, "new": flags.new, "findings": findings, "exit": exit.code()}));
        return Ok(exit);
    }
    crate::gate::print_changes(&findings);
    print_gaps(&rows);
    let changed = findings.iter().filter(|finding| finding.changed()).count();
    println!(
        "{} counters compared, {changed} changed; times of two runs are not compared: `cargo xtask ab` does that",
        findings.len()
    );
    Ok(exit)
}

/// The counters of a run and its rows, given its folder or its records. A merged run has those of all its parts, each
/// with its own tools.
fn read(path: &Path) -> anyhow::Result<(Vec<Counter>, Vec<Row>)> {
    let parts = records::read_parts(&records::records_of(path))?;
    let counters = parts.iter().flat_map(|part| of_records(&part.provenance, &part.rows)).collect();
    Ok((counters, parts.into_iter().flat_map(|part| part.rows).collect()))
}
