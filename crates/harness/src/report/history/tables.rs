//! The tables of the history.

use super::points::{PastRun, Point, Quantity};
use crate::definitions::metrics::EVERY_VARIANT;
use crate::report::summary::report::Report;
use crate::report::tables::table::Table;
use crate::verdicts::comparison;

/// Most rows of the table of changes, which comes first.
const MOST_MOVERS: usize = 12;

/// A cell as text; a value shared by all variants has only the target.
fn cell(target: &str, variant: &str) -> String {
    if variant == EVERY_VARIANT { target.to_string() } else { format!("{target}/{variant}") }
}

/// The points of the last run and of those before, by name, in the order of the last.
fn names(runs: &[PastRun]) -> Vec<(Quantity, &str, &str, &str)> {
    let mut names: Vec<(Quantity, &str, &str, &str)> = Vec::new();
    for run in runs.iter().rev() {
        for point in &run.points {
            if !names.contains(&point.name()) {
                names.push(point.name());
            }
        }
    }
    names
}

/// Changes since the previous run, the largest first. Counters only: times of two sessions are not comparable.
pub(in crate::report) fn movers(report: &Report) -> Table {
    let mut rows: Vec<(f64, Vec<String>)> = Vec::new();
    let [.., before, now] = &report.history.runs[..] else {
        return Table::new("Changed counters", "", &[], Vec::new());
    };
    for point in &now.points {
        let Some((old, change)) = before.find(point.name()).and_then(|old| Some((old, point.change(old)?))) else {
            continue;
        };
        if change == 1.0 {
            continue;
        }
        let show = |value| point.quantity.show(value);
        let row = vec![
            comparison::percent(change),
            cell(&point.target, &point.variant),
            point.quantity.title().into(),
            show(old.value),
            show(point.value),
            format!("`{}`", point.workload),
        ];
        rows.push((change.ln().abs(), row));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let more = rows.len().saturating_sub(MOST_MOVERS);
    let more = if more > 0 { format!(" {more} smaller changes are in the history table.") } else { String::new() };
    let note = format!(
        "Counters compared with those of `{}` ({}, commit {}), if model, tokens, compiler and counting tool are the \
         same; less is better.{more}",
        before.name,
        before.date(),
        before.commit
    );
    let columns = ["change", "cell", "what", "before", "now", "workload"];
    Table::new("Changed counters", &note, &columns, rows.into_iter().take(MOST_MOVERS).map(|(_, row)| row).collect())
}

/// The runs of the history, and those that could not be read.
pub(in crate::report) fn runs(report: &Report) -> Table {
    let history = &report.history;
    if history.runs.len() < 2 && history.left_out.is_empty() {
        return Table::new("Published runs", "", &[], Vec::new());
    }
    let row = |(i, run): (usize, &PastRun)| {
        vec![(i + 1).to_string(), run.name.clone(), run.started.clone(), run.commit.clone(), run.machine.clone()]
    };
    let mut rows: Vec<Vec<String>> = history.runs.iter().enumerate().map(row).collect();
    rows.extend(history.left_out.iter().map(|run| {
        let reason = format!("omitted: {}", run.reason);
        vec!["–".into(), run.name.clone(), "–".into(), "–".into(), reason]
    }));
    let columns = ["run", "name", "started", "commit", "machine"];
    Table::new("Published runs", "The last one is this run.", &columns, rows)
}

/// Every tracked number, a column per run.
pub(in crate::report) fn table(report: &Report) -> Table {
    let runs = &report.history.runs;
    if runs.len() < 2 {
        return Table::new("History", "", &[], Vec::new());
    }
    let mut rows = Vec::new();
    for name in names(runs) {
        let (quantity, target, variant, workload) = name;
        let mut row = vec![quantity.title().to_string(), cell(target, variant), format!("`{workload}`")];
        let mut before: Option<&Point> = None;
        for run in runs {
            let Some(point) = run.find(name) else {
                row.push("–".into());
                continue;
            };
            let change = before.and_then(|before| point.change(before));
            let change = change.map_or(String::new(), |change| format!(" ({})", comparison::percent(change)));
            row.push(format!("{}{change}", quantity.show(point.value)));
            before = Some(point);
        }
        rows.push(row);
    }
    rows.sort_by_key(|row| !row[0].starts_with("decode"));
    let titles: Vec<String> = runs.iter().enumerate().map(|(i, run)| format!("{} {}", i + 1, run.name)).collect();
    let mut columns = vec!["what", "cell", "workload"];
    columns.extend(titles.iter().map(String::as_str));
    let note = "In brackets: the change of a counter from the previous run that has it, if model, tokens, compiler \
        and counting tool are the same. Speeds have none: two sessions differ, even on one machine. A share of the \
        roof refers to the roof measured in the same run.";
    Table { folded: true, ..Table::new("History", note, &columns, rows) }
}
