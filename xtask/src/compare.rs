//! `cargo xtask compare`.

use crate::context::tell_gaps;
use crate::flags::CompareFlags;
use anyhow::bail;
use bitstate_harness::Exit;
use bitstate_harness::counters::{Counter, of_records};
use bitstate_harness::gate::{self, Scope};
use bitstate_harness::merge;
use bitstate_harness::records::{self, Row, Tally};
use bitstate_harness::thresholds::Thresholds;
use bitstate_harness::workspace::Workspace;
use serde_json::json;
use std::path::Path;

pub fn run(flags: &CompareFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let thresholds = Thresholds::load(&workspace)?;
    let (old, _) = read(&flags.old)?;
    let (new, rows) = read(&flags.new)?;
    let selection = flags.selection()?;
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
        bail!(
            "neither run has a counter that is chosen; times are not compared across runs: `cargo xtask ab` does that"
        );
    }
    let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &|_| None };
    let findings = gate::judge(&thresholds, &old, &new, &scope);
    let exit = Tally::of(&rows).exit.worst(gate::exit(&findings));
    if flags.json {
        println!("{:#}", json!({"old": flags.old, "new": flags.new, "findings": findings, "exit": exit.code()}));
        return Ok(exit);
    }
    crate::gate::tell(&findings);
    tell_gaps(&rows);
    let moved = findings.iter().filter(|finding| finding.moved()).count();
    println!(
        "{} counters compared, {moved} moved; times of two runs are not compared: `cargo xtask ab` does that",
        findings.len()
    );
    Ok(exit)
}

/// The counters of a run, and its rows; of a folder or of its records. A merged run has those of all its parts, each
/// with the tools of its own.
fn read(path: &Path) -> anyhow::Result<(Vec<Counter>, Vec<Row>)> {
    let parts = records::read_parts(&merge::records_of(path))?;
    let counters = parts.iter().flat_map(|part| of_records(&part.provenance, &part.rows)).collect();
    Ok((counters, parts.into_iter().flat_map(|part| part.rows).collect()))
}
