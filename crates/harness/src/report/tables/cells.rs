//! Helpers for the rows of several tables.

use crate::report::summary::measurements::Measurement;
use crate::report::summary::report::Report;
use crate::targets::Cell;
use crate::verdicts::stats::Summary;

/// Cells by workload, including those without numbers if the reason is known.
pub(super) fn cells(report: &Report, keep: impl Fn(Cell) -> bool) -> Vec<(String, Cell)> {
    let mut out = Vec::new();
    for workload in report.workloads() {
        for cell in Cell::all().filter(|cell| keep(*cell)) {
            let names = (cell.target.name, cell.variant.name);
            let known = |m: &Measurement| (m.target.as_str(), m.variant.as_str()) == names && m.workload == workload;
            if report.measurements.iter().any(known) || report.gap(names, workload).is_some() {
                out.push((workload.to_string(), cell));
            }
        }
    }
    out
}

/// A median as text.
pub(super) fn middle(summary: Option<&Summary>, show: impl Fn(f64) -> String) -> String {
    summary.map_or("–".into(), |summary| show(summary.median))
}
