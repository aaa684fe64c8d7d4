//! The charts of measurements beside the workloads: kernels by shape, shares of the roof, the parts of a token.

use super::chart::{Mark, Panel, short};
use crate::definitions::metrics::KERNELS;
use crate::report::summary::report::Report;
use crate::report::tables::kernels::{self, Kernel, Kind};
use crate::report::tables::numbers::{number, percent};
use crate::targets::{Cell, Clock};

/// A panel per shape, a row per cell: a dot for one token, a ring for many at once.
pub(super) fn rates(report: &Report) -> Vec<Panel> {
    let kernels = kernels::all(report);
    let ternary = |tokens: fn(u32) -> bool| {
        let of_kind = move |kernel: &&Kernel| matches!(kernel.kind, Kind::Ternary(n) if tokens(n));
        kernels.iter().filter(of_kind)
    };
    let mut panels = Vec::new();
    for kernel in ternary(|n| n == 1) {
        let many = ternary(|n| n > 1).find(|other| other.shape == kernel.shape);
        let rows = wall().filter_map(|cell| {
            let names = (cell.target.name, cell.variant.name);
            let Some(rate) = report.find(names, &kernel.workload, "kernel", "rate") else {
                return gap(report, cell, KERNELS);
            };
            let ring = many.and_then(|many| report.find(names, &many.workload, "kernel", "rate"));
            let value = Some((rate.q1, rate.median, rate.q3));
            let ring = ring.map(|rate| rate.median);
            Some(Mark { ring, value, ..Mark::new(cell, "", number(rate.median)) })
        });
        panels.push(Panel { title: kernel.shape.clone(), rows: rows.collect() });
    }
    panels.retain(has_value);
    panels
}

/// Decodes, then heads, as shares of the roof.
pub(super) fn shares(report: &Report) -> Vec<Panel> {
    let panel = |title: String, workload: &str, share: &dyn Fn((&str, &str)) -> Option<f64>| {
        let rows = wall().filter_map(|cell| {
            let Some(share) = share((cell.target.name, cell.variant.name)) else {
                return gap(report, cell, workload);
            };
            let value = Some((100.0 * share, 100.0 * share, 100.0 * share));
            Some(Mark { value, ..Mark::new(cell, "", percent(share)) })
        });
        Panel { title, rows: rows.collect() }
    };
    let mut panels = Vec::new();
    for workload in report.workloads() {
        panels.push(panel(format!("decode of {workload}"), workload, &|cell| report.share(cell, workload)));
    }
    for head in kernels::all(report).iter().filter(|kernel| kernel.kind == Kind::Head) {
        let share = |cell: (&str, &str)| report.head_share(cell, &head.workload);
        panels.push(panel(format!("head {} alone", head.shape), KERNELS, &share));
    }
    panels.retain(has_value);
    panels
}

/// A panel per workload, a row per cell of this clock: the shares of the parts, and the total of a token; below it the parts
/// of its composite roof on the same axis, if it has one.
pub(super) fn parts(report: &Report, clock: Clock) -> Vec<Panel> {
    let mut panels = Vec::new();
    for workload in report.workloads() {
        let mut rows = Vec::new();
        for cell in Cell::all().filter(|cell| cell.target.clock == clock) {
            let Some((parts, _)) = kernels::parts(report, cell, workload) else {
                rows.extend(gap(report, cell, workload));
                continue;
            };
            let sum: f64 = parts.iter().sum();
            let text = match clock {
                Clock::Wall => kernels::quantity(cell, sum),
                Clock::Instructions => short(sum),
            };
            rows.push(stacked(Mark::new(cell, "", text), &parts, sum));
            if let Some(roof) = report.composite((cell.target.name, cell.variant.name), workload) {
                let text = kernels::quantity(cell, roof.sum());
                rows.push(stacked(Mark::new(cell, ", roof", text), &roof.parts(), sum));
            }
        }
        panels.push(Panel { title: workload.to_string(), rows });
    }
    panels.retain(has_value);
    panels
}

/// A bar of parts, as shares of a whole.
fn stacked(mark: Mark, parts: &[f64], whole: f64) -> Mark {
    let parts: Vec<f64> = parts.iter().map(|part| 100.0 * part / whole).collect();
    let sum = parts.iter().sum();
    Mark { parts, value: Some((sum, sum, sum)), ..mark }
}

/// Cells whose clock is time.
fn wall() -> impl Iterator<Item = Cell> {
    Cell::all().filter(|cell| cell.target.clock == Clock::Wall)
}

/// The row of a cell without a number, if the reason is known.
fn gap(report: &Report, cell: Cell, workload: &str) -> Option<Mark> {
    Some(Mark::new(cell, "", report.gap((cell.target.name, cell.variant.name), workload)?))
}

fn has_value(panel: &Panel) -> bool {
    panel.rows.iter().any(|mark| mark.value.is_some())
}
