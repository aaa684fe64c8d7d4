//! The tables of a report, in the order of a page.

use super::cells::{cells, middle};
use super::numbers::{bytes, number};
use super::table::Table;
use super::{composite, join, kernels, peers, roof};
use crate::report::history::tables as history;
use crate::report::summary::measurements::{Measurement, WITH_WAITS};
use crate::report::summary::report::{Artifact, Report};
use crate::targets::{Cell, Clock, targets};
use crate::verdicts::comparison::{self, Comparison};

/// The first tables of a page: what changed, since the previous run or against the other side; and the shards, if there
/// are several.
pub fn first(report: &Report) -> Vec<Table> {
    let mut tables = vec![join::shards(report), history::movers(report)];
    tables.extend(join::tables(report, |part| vec![comparisons(part)]));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// All other tables, in the order of a page.
pub fn all(report: &Report) -> Vec<Table> {
    let mut tables = join::tables(report, of_one);
    tables.extend([history::runs(report), history::table(report)]);
    // Folded tables come last.
    tables.sort_by_key(|table| table.folded);
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// The tables of one run, in a fixed order; a table without data is empty.
fn of_one(report: &Report) -> Vec<Table> {
    vec![
        speed(report),
        peers::table(report),
        composite::table(report),
        roof::shares(report),
        roof::bandwidth(report),
        kernels::rates(report),
        kernels::profile(report, Clock::Wall),
        instructions(report),
        kernels::costs(report),
        kernels::profile(report, Clock::Instructions),
        memory(report),
        artifacts(report),
        gaps(report),
        kernels::layouts(report),
        everything(report),
    ]
}

fn emulated(cell: Cell) -> bool {
    cell.target.clock == Clock::Instructions
}

/// Comparisons of two sides; those with a change come first.
pub fn comparisons(report: &Report) -> Table {
    let mut sorted: Vec<_> = report.comparisons.iter().collect();
    sorted.sort_by_key(|comparison| comparison.verdict);
    let show = |unit: &str, value: f64| {
        if unit == "ns" { format!("{} ms", number(value / 1e6)) } else { format!("{} {unit}", number(value)) }
    };
    let row = |c: &&Comparison| {
        let noise = c
            .noise
            .map_or("–".into(), |n| format!("{} to {}", comparison::percent(n.low), comparison::percent(n.high)));
        // The most important columns come first: a narrow screen shows only those.
        vec![
            c.verdict.name().to_string(),
            c.in_words(),
            c.sides[1].clone(),
            c.phase.clone(),
            format!("`{}`", c.workload),
            noise,
            c.sides[0].clone(),
            show(&c.unit, c.medians[0]),
            show(&c.unit, c.medians[1]),
            c.change.map_or("–".into(), |change| change.pairs.to_string()),
        ]
    };
    let rows = sorted.iter().map(row).collect();
    let limits = report.provenance.time_limits;
    let limits = limits.map_or(String::new(), |limits| {
        format!(
            " Changes below {:.1} % are ignored; one of {:.0} % must be found or ruled out.",
            limits.floor * 100.0,
            limits.ceiling * 100.0
        )
    });
    let note = format!(
        "Change of the second side's time relative to the first's: median of pairs, with its 95 % interval by \
         bootstrap over pairs. Noise is the first side compared with itself in the same session. A change is \
         reported only if the interval is beyond both in two rounds.{limits}"
    );
    let columns = [
        "verdict",
        "change",
        "second",
        "phase",
        "workload",
        "noise",
        "first",
        "first's time",
        "second's time",
        "pairs",
    ];
    Table::new("Comparison", &note, &columns, rows)
}

fn speed(report: &Report) -> Table {
    let mut rows = Vec::new();
    for (workload, cell) in cells(report, |cell| !emulated(cell)) {
        let names = (cell.target.name, cell.variant.name);
        let get = |phase, metric| report.find(names, &workload, phase, metric);
        let mut row = vec![format!("`{workload}`"), names.0.into(), names.1.into()];
        match get("decode", "throughput") {
            Some(decode) => row.extend([
                middle(get("load", "time"), |ms| format!("{} ms", number(ms))),
                middle(get("prefill", "throughput"), number),
                number(decode.median),
                format!("{} – {}", number(decode.q1), number(decode.q3)),
                decode.samples.to_string(),
                middle(get("decode", "fuel per token"), number),
            ]),
            None => row.extend(gap_cells(report, names, &workload, 6)),
        }
        rows.push(row);
    }
    let columns = [
        "workload",
        "target",
        "variant",
        "load",
        "prefill tokens/s",
        "decode tokens/s",
        "quartiles",
        "samples",
        "fuel/token",
    ];
    Table::new("Speed", "Medians; a fresh process for every sample; one thread.", &columns, rows)
}

fn instructions(report: &Report) -> Table {
    let mut rows = Vec::new();
    let waits = report.waits();
    // Without a model of a cache, the last two columns are left out.
    let shown = if waits.is_some() { 6 } else { 4 };
    for (workload, cell) in cells(report, emulated) {
        let names = (cell.target.name, cell.variant.name);
        let get = |phase, metric| report.find(names, &workload, phase, metric);
        let mut row = vec![format!("`{workload}`"), names.0.into(), names.1.into()];
        match get("decode", "instructions per token") {
            Some(decode) => row.extend(
                [
                    middle(get("load", "instructions"), number),
                    middle(get("prefill", "instructions per token"), number),
                    number(decode.median),
                    middle(get("decode", "modelled throughput"), number),
                    middle(get("decode", "lines per token"), number),
                    middle(get("decode", WITH_WAITS), number),
                ]
                .into_iter()
                .take(shown),
            ),
            None => row.extend(gap_cells(report, names, &workload, shown)),
        }
        rows.push(row);
    }
    let note = format!(
        "Instructions are counted by the emulator, identical in two runs. Tokens/s are {}; they are not measurements \
         and never share an axis with measured times.{}",
        report.assumption(),
        waits.map(|waits| format!(" In the last column, {waits}.")).unwrap_or_default()
    );
    let columns = [
        "workload",
        "target",
        "variant",
        "load",
        "prefill instructions/token",
        "decode instructions/token",
        "decode tokens/s, modelled",
        "cache lines/token",
        "decode tokens/s, with waits",
    ];
    let title = match report.emulated() {
        "Xtensa" => "Xtensa instructions",
        _ => "Instructions of emulated targets",
    };
    Table::new(title, &note, &columns[..3 + shown], rows)
}

fn memory(report: &Report) -> Table {
    let mut rows = Vec::new();
    for (workload, cell) in cells(report, |_| true) {
        let names = (cell.target.name, cell.variant.name);
        let get = |phase, metric| report.find(names, &workload, phase, metric);
        let mut row = vec![format!("`{workload}`"), names.0.into(), names.1.into()];
        match get("run", "memory") {
            Some(memory) => row.extend([
                bytes(memory.median),
                middle(get("run", "heap_peak"), bytes),
                middle(get("run", "stack_high_water"), bytes),
                middle(get("decode", "allocations per token"), number),
            ]),
            None => row.extend(gap_cells(report, names, &workload, 4)),
        }
        rows.push(row);
    }
    let here = targets().iter().filter(|target| report.has(target.name));
    let meanings: Vec<String> = here.map(|target| format!("{}: {}", target.name, target.memory)).collect();
    let note = format!("Peak memory means, {}.", meanings.join("; "));
    let columns = ["workload", "target", "variant", "peak memory", "heap peak", "stack", "allocations/token"];
    Table::new("Memory", &note, &columns, rows)
}

fn artifacts(report: &Report) -> Table {
    let row = |a: &Artifact| {
        vec![
            a.target.clone(),
            a.variant.clone().unwrap_or_else(|| "all".into()),
            a.name.clone(),
            a.section.clone(),
            bytes(a.bytes as f64),
        ]
    };
    let rows = report.artifacts.iter().map(row).collect();
    Table::new("Sizes", "", &["target", "variant", "artifact", "section", "size"], rows)
}

fn gaps(report: &Report) -> Table {
    let name = |workload: &Option<String>| workload.as_ref().map_or("all".to_string(), |name| format!("`{name}`"));
    let mut rows = Vec::new();
    for failure in &report.failures {
        let what = format!("failed in {}", failure.during);
        rows.push(vec![
            failure.target.clone(),
            failure.variant.clone(),
            name(&failure.workload),
            what,
            failure.error.clone(),
        ]);
    }
    for skip in &report.skips {
        let what = if skip.expected { "skipped, as expected" } else { "skipped, not expected" };
        rows.push(vec![
            skip.target.clone(),
            skip.variant.clone(),
            name(&skip.workload),
            what.into(),
            skip.reason.clone(),
        ]);
    }
    let note = "A skip is not a pass; the expected ones are listed in `ci/expected.toml`.";
    Table::new("Failed and skipped", note, &["target", "variant", "workload", "what", "why"], rows)
}

fn everything(report: &Report) -> Table {
    let row = |m: &Measurement| {
        let s = &m.summary;
        // Most rows are counters: equal in every sample.
        let show = |value: f64| if s.min < s.max { number(value) } else { String::new() };
        vec![
            format!("`{}`", m.workload),
            format!("{}/{}", m.target, m.variant),
            m.phase.clone(),
            m.metric.clone(),
            m.unit.clone(),
            number(s.median),
            show(s.min),
            show(s.q1),
            show(s.q3),
            show(s.max),
            show(s.mad),
            s.samples.to_string(),
        ]
    };
    let rows = report.measurements.iter().map(row).collect();
    let columns = ["workload", "cell", "phase", "metric", "unit", "median", "min", "q1", "q3", "max", "MAD", "samples"];
    let note = "MAD: median absolute deviation from the median. One number alone: that of every sample.";
    Table { folded: true, ..Table::new("All numbers", note, &columns, rows) }
}

fn gap_cells(report: &Report, cell: (&str, &str), workload: &str, columns: usize) -> Vec<String> {
    let mut cells = vec!["–".to_string(); columns];
    cells[0] = report.gap(cell, workload).unwrap_or_else(|| "not selected".into());
    cells
}
