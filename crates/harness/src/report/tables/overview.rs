//! The table of the README: a row per workload and target, with its fastest variant.

use super::cells::{cells, middle};
use super::join;
use super::numbers::{bytes, number, percent};
use super::table::Table;
use crate::report::summary::measurements::WITH_WAITS;
use crate::report::summary::report::Report;
use crate::targets::{Cell, Clock, targets};

/// The row of one cell on one workload.
#[derive(Debug, Clone)]
pub(in crate::report) struct Line {
    /// Case.
    pub workload: String,
    /// Where it ran.
    pub cell: Cell,
    /// The number columns, each with its text; none if there is no number.
    pub columns: [(&'static str, Option<String>); 5],
}

/// The rows of one run.
pub(in crate::report) fn lines(report: &Report) -> Vec<Line> {
    let line = |(workload, cell): (String, Cell)| {
        let names = (cell.target.name, cell.variant.name);
        let get = |phase, metric| report.find(names, &workload, phase, metric);
        let timed = get("decode", "throughput").map(|speed| format!("{} tokens/s", number(speed.median)));
        let counted = || {
            let count = get("decode", "instructions per token")?;
            // The lower one, if waits for memory are known.
            let modelled = get("decode", WITH_WAITS).or_else(|| get("decode", "modelled throughput"));
            Some(format!("{} instructions/token, modelled {} tokens/s", number(count.median), middle(modelled, number)))
        };
        let columns = [
            ("decode", timed.or_else(counted)),
            ("share of composite roof", report.composite_share(names, &workload).map(percent)),
            ("share of memory roof", report.share(names, &workload).map(percent)),
            ("peak memory", get("run", "memory").map(|memory| bytes(memory.median))),
            ("allocations/token", get("decode", "allocations per token").map(|count| number(count.median))),
        ];
        Line { workload, cell, columns }
    };
    cells(report, |_| true).into_iter().map(line).collect()
}

/// The table.
pub fn table(report: &Report) -> Table {
    let mut tables = join::tables(report, |part| vec![table_of_one(part)]);
    if tables.is_empty() { table_of_one(report) } else { tables.remove(0) }
}

/// The rows of timed targets alone: counts do not depend on the CPU.
pub fn timed(report: &Report) -> Table {
    let mut table = table(report);
    let timed = |name: &str| targets().iter().any(|target| target.name == name && target.clock == Clock::Wall);
    let target = table.columns.iter().position(|column| column == "target").unwrap_or(0);
    table.rows.retain(|row| timed(&row[target]));
    table
}

/// The row of the fastest variant for each workload and target, by time, or by instructions if there is no time. If
/// none of them ran, the first.
fn fastest(report: &Report, lines: Vec<Line>) -> Vec<Line> {
    let cost = |line: &Line| {
        let names = (line.cell.target.name, line.cell.variant.name);
        let get = |metric| report.find(names, &line.workload, "decode", metric).map(|found| found.median);
        let taken = get("throughput").map(|speed| 1.0 / speed).or_else(|| get("instructions per token"));
        taken.unwrap_or(f64::INFINITY)
    };
    let mut fastest: Vec<Line> = Vec::new();
    for line in lines {
        let same = |other: &&mut Line| other.workload == line.workload && other.cell.target == line.cell.target;
        match fastest.iter_mut().find(same) {
            Some(other) if cost(&line) < cost(other) => *other = line,
            Some(_) => {}
            None => fastest.push(line),
        }
    }
    fastest
}

fn table_of_one(report: &Report) -> Table {
    let row = |line: Line| {
        let names = (line.cell.target.name, line.cell.variant.name);
        let mut row = vec![format!("`{}`", line.workload), names.0.to_string(), names.1.to_string()];
        let gap = report.gap(names, &line.workload);
        let first = std::iter::once(gap.unwrap_or_else(|| "–".into())).chain(std::iter::repeat("–".into()));
        row.extend(line.columns.into_iter().zip(first).map(|((_, number), gap)| number.unwrap_or(gap)));
        row
    };
    let rows: Vec<Vec<String>> = fastest(report, lines(report)).into_iter().map(row).collect();
    let mut notes = Vec::new();
    if rows.iter().any(|row| row[4] != "–") {
        notes.push(
            "The composite roof is the minimum time of a token at the rates of its kernels and of memory, the memory \
             roof the memory bandwidth for a model of this size; both were measured in the same run."
                .to_string(),
        );
    }
    if rows.iter().any(|row| row[3].contains("modelled")) {
        notes.push(report.modelled());
    }
    let columns = [
        "workload",
        "target",
        "variant",
        "decode",
        "share of composite roof",
        "share of memory roof",
        "peak memory",
        "allocations/token",
    ];
    Table::new("Results", &notes.join(" "), &columns, rows)
}
