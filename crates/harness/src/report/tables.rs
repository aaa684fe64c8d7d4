//! The tables of a report, already in words: Markdown, HTML and the README only set them.

use super::{Report, history, join, kernels, roof};
use crate::targets::{Cell, Clock, targets};
use crate::verdicts::comparison::{self, Comparison};
use crate::verdicts::stats::Summary;
use serde::Serialize;

/// A table.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// What a reader must know to read it.
    pub note: String,
    /// Heads of the columns.
    pub columns: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<String>>,
    /// Whether it is long and shown only on request.
    pub folded: bool,
}

impl Table {
    pub(super) fn new(title: &str, note: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        let columns = columns.iter().map(|column| column.to_string()).collect();
        Table { title: title.into(), note: note.into(), columns, rows, folded: false }
    }
}

/// What a reader looks for first: what moved, by itself or against the other side; and where it was measured, if not
/// all in one place.
pub fn first(report: &Report) -> Vec<Table> {
    let mut tables = vec![join::shards(report), history::movers(report)];
    tables.extend(join::tables(report, |part| vec![comparisons(part)]));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// All others, in the order of a page.
pub fn all(report: &Report) -> Vec<Table> {
    let mut tables = join::tables(report, of_one);
    tables.extend([history::runs(report), history::table(report)]);
    // What is folded comes last.
    tables.sort_by_key(|table| table.folded);
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// Those of one run, in a fixed order; where it has no numbers for one, that is empty.
fn of_one(report: &Report) -> Vec<Table> {
    vec![
        speed(report),
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

/// Cells by workload, those without numbers included where the reason is known.
pub(super) fn cells(report: &Report, keep: impl Fn(Cell) -> bool) -> Vec<(String, Cell)> {
    let mut out = Vec::new();
    for workload in report.workloads() {
        for cell in Cell::all().filter(|cell| keep(*cell)) {
            let names = (cell.target.name, cell.variant.name);
            let known =
                |m: &super::Measurement| (m.target.as_str(), m.variant.as_str()) == names && m.workload == workload;
            if report.measurements.iter().any(known) || report.gap(names, workload).is_some() {
                out.push((workload.to_string(), cell));
            }
        }
    }
    out
}

fn emulated(cell: Cell) -> bool {
    cell.target.clock == Clock::Instructions
}

/// Sides that were measured against each other; what changed comes first.
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
        // What a reader wants first is first: a narrow screen shows only that.
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
            " Changes below {:.1} % are none; one of {:.0} % must be found or ruled out.",
            limits.floor * 100.0,
            limits.ceiling * 100.0
        )
    });
    let note = format!(
        "Change of the second side's time against the first's: median of pairs, with its 95 % interval by bootstrap \
         over pairs. Noise is the first side against itself in the same session. A change is called only where the \
         interval lies beyond both in two rounds.{limits}"
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
    for (workload, cell) in cells(report, emulated) {
        let names = (cell.target.name, cell.variant.name);
        let get = |phase, metric| report.find(names, &workload, phase, metric);
        let mut row = vec![format!("`{workload}`"), names.0.into(), names.1.into()];
        match get("decode", "instructions per token") {
            Some(decode) => row.extend([
                middle(get("load", "instructions"), number),
                middle(get("prefill", "instructions per token"), number),
                number(decode.median),
                middle(get("decode", "modelled throughput"), number),
            ]),
            None => row.extend(gap_cells(report, names, &workload, 4)),
        }
        rows.push(row);
    }
    let note = format!(
        "Instructions are counted by the emulator, the same in both of two runs. Tokens/s are {}; \
         they are no measurement and never stand on one axis with measured time.",
        report.assumption()
    );
    let columns = [
        "workload",
        "target",
        "variant",
        "load",
        "prefill instructions/token",
        "decode instructions/token",
        "decode tokens/s, modelled",
    ];
    Table::new("Xtensa instructions", &note, &columns, rows)
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
    let row = |a: &super::Artifact| {
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
    let row = |m: &super::Measurement| {
        let show = |value: f64| number(value);
        let s = &m.summary;
        vec![
            format!("`{}`", m.workload),
            format!("{}/{}", m.target, m.variant),
            m.phase.clone(),
            m.metric.clone(),
            m.unit.clone(),
            show(s.median),
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
    let note = "MAD: median absolute deviation from the median.";
    Table { folded: true, ..Table::new("Every number", note, &columns, rows) }
}

fn gap_cells(report: &Report, cell: (&str, &str), workload: &str, columns: usize) -> Vec<String> {
    let mut cells = vec!["–".to_string(); columns];
    cells[0] = report.gap(cell, workload).unwrap_or_else(|| "not selected".into());
    cells
}

pub(super) fn middle(summary: Option<&Summary>, show: impl Fn(f64) -> String) -> String {
    summary.map_or("–".into(), |summary| show(summary.median))
}

/// A number as a person reads it: three digits, or all of the integer part with its thousands apart.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".into();
    }
    if size < 100.0 {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 9) as usize;
        return format!("{value:.digits$}");
    }
    let digits = format!("{:.0}", size);
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

/// A share as a person reads it.
pub fn percent(share: f64) -> String {
    let value = 100.0 * share;
    match value {
        v if v > 0.0 && v < 0.05 => "< 0.1 %".into(),
        v if v > 0.0 && v < 9.95 => format!("{v:.1} %"),
        v => format!("{v:.0} %"),
    }
}

/// A number of bytes, in decimal units.
pub fn bytes(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} MB", number(v / 1e6)),
        v if v >= 1e3 => format!("{} kB", number(v / 1e3)),
        v => format!("{v:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, number, percent};

    #[test]
    fn numbers_read_well() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (1.5, "1.50"),
            (99.95, "100.0"),
            (1234.6, "1,235"),
            (3_950_000.0, "3,950,000"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(bytes(9_123_456.0), "9.12 MB");
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(
            [0.0, 0.0002, 0.0123, 0.0994, 0.58, 1.043].map(percent),
            ["0 %", "< 0.1 %", "1.2 %", "9.9 %", "58 %", "104 %"]
        );
    }
}
