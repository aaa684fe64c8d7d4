//! Single kernels, the parts of a token, and the kernels chosen for a model's shapes.

use super::cells::middle;
use super::numbers::{number, percent};
use super::table::Table;
use crate::definitions::metrics::PARTS;
use crate::report::summary::measurements::Measurement;
use crate::report::summary::report::Report;
use crate::targets::{Cell, Clock};
use std::collections::BTreeMap;

/// A measured kernel, parsed from the name in its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Kernel {
    pub workload: String,
    pub kind: Kind,
    rows: u64,
    cols: u64,
    /// `512×256`, with thousands separated.
    pub shape: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Kind {
    /// A ternary matrix, with this many rows of activations.
    Ternary(u32),
    Head,
}

impl Kernel {
    fn named(workload: &str) -> Option<Self> {
        let (kind, shape) = match workload.split('/').collect::<Vec<_>>()[..] {
            ["ternary", shape, tokens] => (Kind::Ternary(tokens.parse().ok()?), shape),
            ["head", shape] => (Kind::Head, shape),
            _ => return None,
        };
        let (rows, cols) = shape.split_once('x')?;
        let (rows, cols) = (rows.parse().ok()?, cols.parse().ok()?);
        Some(Kernel { workload: workload.into(), kind, rows, cols, shape: shape_text(rows, cols) })
    }
}

/// A shape as text, with thousands separated.
fn shape_text(rows: u64, cols: u64) -> String {
    let side = |n: u64| if n < 100 { n.to_string() } else { number(n as f64) };
    format!("{}×{}", side(rows), side(cols))
}

/// The kernels that the report has numbers for: those of one token first, small ones first.
pub(in crate::report) fn all(report: &Report) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for kernel in report.measurements.iter().filter_map(|m| Kernel::named(&m.workload)) {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    kernels.sort_by_key(|kernel| {
        let kind = match kernel.kind {
            Kind::Ternary(tokens) => tokens,
            Kind::Head => u32::MAX,
        };
        (kind, kernel.rows * kernel.cols, kernel.rows)
    });
    kernels
}

/// Cells that have numbers for this phase.
pub(in crate::report) fn cells_with(report: &Report, phase: &str, clock: Clock) -> Vec<Cell> {
    let has = |cell: &Cell| {
        let of_cell = |m: &Measurement| m.target == cell.target.name && m.variant == cell.variant.name;
        report.measurements.iter().any(|m| m.phase == phase && of_cell(m))
    };
    Cell::all().filter(|cell| cell.target.clock == clock).filter(has).collect()
}

/// Rates of kernels, a column per cell.
pub(in crate::report) fn rates(report: &Report) -> Table {
    let cells = cells_with(report, "kernel", Clock::Wall);
    let mut rows = Vec::new();
    for kernel in all(report) {
        let rate = |cell: &Cell| {
            let names = (cell.target.name, cell.variant.name);
            let rate = middle(report.find(names, &kernel.workload, "kernel", "rate"), number);
            match report.head_share(names, &kernel.workload) {
                Some(share) => format!("{rate} ({})", percent(share)),
                None => rate,
            }
        };
        let (what, tokens) = match kernel.kind {
            Kind::Ternary(tokens) => ("ternary, G weights/s", tokens.to_string()),
            Kind::Head => ("INT8 head, GB/s", "1".into()),
        };
        let mut row = vec![what.to_string(), kernel.shape.clone(), tokens];
        row.extend(cells.iter().map(rate));
        if row[3..].iter().any(|cell| cell != "–") {
            rows.push(row);
        }
    }
    let names: Vec<String> = cells.iter().map(Cell::to_string).collect();
    let mut columns = vec!["kernel", "rows×columns", "tokens at once"];
    columns.extend(names.iter().map(String::as_str));
    let note = "The fastest of five slices in each process, median of the processes; all variants gave the same \
        results. A weight is a quarter of a byte, so up to 512×512 a matrix fits L1 or L2 and its rate is limited by \
        computation: the one for 256×256 with 16 tokens, unpacked once, is closest to the peak of the multiply \
        instruction. In brackets: share of the read bandwidth, as for a decode.";
    Table::new("Kernels", note, &columns, rows)
}

/// Instructions of kernels on emulated targets.
pub(in crate::report) fn costs(report: &Report) -> Table {
    let cells = cells_with(report, "kernel", Clock::Instructions);
    let mut rows = Vec::new();
    for kernel in all(report) {
        let cost = |cell: &Cell| {
            middle(report.find((cell.target.name, cell.variant.name), &kernel.workload, "kernel", "cost"), number)
        };
        let what = match kernel.kind {
            Kind::Ternary(_) => "ternary, instructions per weight",
            Kind::Head => "INT8 head, instructions per byte",
        };
        let mut row = vec![what.to_string(), kernel.shape.clone()];
        row.extend(cells.iter().map(cost));
        if row[2..].iter().any(|cell| cell != "–") {
            rows.push(row);
        }
    }
    let names: Vec<String> = cells.iter().map(Cell::to_string).collect();
    let mut columns = vec!["kernel", "rows×columns"];
    columns.extend(names.iter().map(String::as_str));
    Table::new("Kernel instructions", "Counted by the emulator, identical in two runs.", &columns, rows)
}

/// The parts of a generated token, in the order of [`PARTS`], and the cost of the clock; per token.
pub(in crate::report) fn parts(report: &Report, cell: Cell, workload: &str) -> Option<(Vec<f64>, f64)> {
    let get = |name| Some(report.find((cell.target.name, cell.variant.name), workload, "profile", name)?.median);
    let parts: Option<Vec<f64>> = PARTS.iter().map(|(name, _)| get(name)).collect();
    Some((parts?, get("clock")?))
}

/// A quantity of a profile as text.
pub(in crate::report) fn quantity(cell: Cell, value: f64) -> String {
    match cell.target.clock {
        Clock::Wall => format!("{} µs", number(value)),
        Clock::Instructions => number(value),
    }
}

/// The share of each part in a token's time or instructions.
pub(in crate::report) fn profile(report: &Report, clock: Clock) -> Table {
    let mut rows = Vec::new();
    for workload in report.workloads() {
        for cell in Cell::all().filter(|cell| cell.target.clock == clock) {
            let Some((parts, reading)) = parts(report, cell, workload) else { continue };
            let sum: f64 = parts.iter().sum();
            let mut row = vec![format!("`{workload}`"), cell.target.name.into(), cell.variant.name.into()];
            row.extend(parts.iter().map(|&part| format!("{} ({})", quantity(cell, part), percent(part / sum))));
            row.extend([quantity(cell, sum), quantity(cell, reading)]);
            rows.push(row);
        }
    }
    let mut columns = vec!["workload", "target", "variant"];
    columns.extend(PARTS.iter().map(|(_, title)| *title));
    columns.extend(["all", "clock, subtracted"]);
    let title = match clock {
        Clock::Wall => "Time of a token by part",
        Clock::Instructions => "Instructions of a token by part",
    };
    let note = "The same decode, with the clock read between the parts; its cost was measured separately and \
        subtracted. A greedy choice is part of the head, so sampling takes nothing there. Medians.";
    Table::new(title, note, &columns, rows)
}

/// The kernels chosen for the models' shapes: shapes that do not fill whole blocks first; equal cells and matrices
/// share a row.
pub(in crate::report) fn layouts(report: &Report) -> Table {
    /// Whether the shape fills whole blocks, the model, rows, columns, and how the remainders are computed.
    type Way<'a> = (bool, &'a str, u64, u64, &'a str, &'a str);
    /// Cells by algorithm.
    type Kernels<'a> = BTreeMap<&'a str, Vec<String>>;
    let mut of_cell: BTreeMap<(Way, String, &str), Vec<&str>> = BTreeMap::new();
    for l in &report.layouts {
        let whole = l.row_tail == "none" && l.col_tail == "none";
        let way = (whole, l.model.as_str(), l.rows, l.cols, l.row_tail.as_str(), l.col_tail.as_str());
        of_cell.entry((way, format!("{}/{}", l.target, l.variant), &l.kernel)).or_default().push(&l.matrix);
    }
    let mut lines: BTreeMap<(Way, Vec<&str>), Kernels> = BTreeMap::new();
    for ((way, cell, kernel), mut matrices) in of_cell {
        matrices.sort_unstable();
        matrices.dedup();
        lines.entry((way, matrices)).or_default().entry(kernel).or_default().push(cell);
    }
    let row = |((way, matrices), kernels): (&(Way, Vec<&str>), &Kernels)| {
        let (_, model, rows, cols, row_tail, col_tail) = *way;
        let shape = if matrices[..] == ["vectors"] { cols.to_string() } else { shape_text(rows, cols) };
        let kernels = kernels.iter().map(|(kernel, cells)| format!("{kernel}: {}", cells.join(", ")));
        let kernels = kernels.collect::<Vec<_>>().join("; ");
        let model = format!("`{model}`");
        [&model, &matrices.join(", "), &shape, row_tail, col_tail, &kernels].map(str::to_string).to_vec()
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    let mut models: Vec<&str> = lines.keys().filter(|(way, _)| !way.0).map(|(way, _)| way.1).collect();
    models.dedup();
    let note = match models[..] {
        [] => "Every shape of every model fills whole blocks of its kernels.".to_string(),
        _ => format!(
            "Rows and columns that do not fill a kernel's block take a slower path with the same result. This \
             applies to: {}.",
            models.iter().map(|model| format!("`{model}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    let columns = ["model", "what", "rows×columns", "rows left over", "columns left over", "kernels"];
    Table { folded: true, ..Table::new("Kernel paths by shape", &note, &columns, rows) }
}
