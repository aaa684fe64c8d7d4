//! The contents of every chart of a report. `draw` draws them.

use super::chart::{Chart, Mark, Panel, short};
use super::{forest, noise, probes, trend};
use crate::definitions::metrics::PARTS;
use crate::report::summary::report::Report;
use crate::report::tables::join;
use crate::report::tables::numbers::{bytes, number};
use crate::targets::{Cell, Clock};
use crate::verdicts::stats::Summary;

/// Every chart that the report has data for.
pub fn all(report: &Report) -> Vec<Chart> {
    let mut charts = join::charts(report, of_one);
    charts.retain(Chart::shows);
    charts.extend(history(report));
    charts
}

/// The charts of the runs until this one.
pub fn history(report: &Report) -> Vec<Chart> {
    trend::charts(&report.history)
}

/// The charts of one run, in a fixed order; a chart without data is empty.
fn of_one(report: &Report) -> Vec<Chart> {
    let wall = |cell: Cell| cell.target.clock == Clock::Wall;
    let emulated = |cell: Cell| cell.target.clock == Clock::Instructions;
    let milliseconds = |ms: f64| format!("{} ms", number(ms));
    let mut charts = vec![
        Chart {
            name: "throughput",
            title: "Decode speed, native and WebAssembly".into(),
            subtitle: "Median and quartiles; higher is better; one thread; logarithmic".into(),
            axis: "tokens/s".into(),
            logarithmic: true,
            legend: Vec::new(),
            reference: None,
            panels: panels(report, wall, &[("decode", "throughput", "")], number),
            trend: None,
        },
        Chart {
            name: "roof",
            title: "Share of the memory roof".into(),
            subtitle: "Bytes needed relative to the fastest variant's read bandwidth at this size; higher is better"
                .into(),
            axis: "% of the roof".into(),
            logarithmic: false,
            legend: Vec::new(),
            reference: None,
            panels: probes::shares(report),
            trend: None,
        },
        Chart {
            name: "parts-time",
            title: "Time of a token by part, native and WebAssembly".into(),
            subtitle: "A decode token, and below it its composite roof: the minimum of its parts".into(),
            axis: "% of the token".into(),
            logarithmic: false,
            legend: PARTS.iter().map(|(_, title)| *title).collect(),
            reference: None,
            panels: probes::parts(report, Clock::Wall),
            trend: None,
        },
        Chart {
            name: "parts-instructions",
            title: format!("Instructions of a token by part, {}", report.emulated()),
            subtitle: "Each bar is one decode token, labelled with its instructions".into(),
            axis: "% of the token's instructions".into(),
            logarithmic: false,
            legend: PARTS.iter().map(|(_, title)| *title).collect(),
            reference: None,
            panels: probes::parts(report, Clock::Instructions),
            trend: None,
        },
        Chart {
            name: "xtensa",
            title: format!("Decode speed, {}, modelled", report.emulated()),
            subtitle: format!(
                "Not measured: {}; higher is better",
                report.assumption().trim_start_matches("modelled: ")
            ),
            axis: "tokens/s, modelled".into(),
            logarithmic: false,
            legend: Vec::new(),
            reference: None,
            panels: panels(report, emulated, &[("decode", "modelled throughput", "")], number),
            trend: None,
        },
        Chart {
            name: "memory",
            title: "Peak memory".into(),
            subtitle: "native: resident set; wasm: linear memory; xtensa: heap, stack and static data; logarithmic; lower is better"
                .into(),
            axis: "bytes".into(),
            logarithmic: true,
            legend: Vec::new(),
            reference: None,
            panels: panels(report, |_| true, &[("run", "memory", "")], bytes),
            trend: None,
        },
        Chart {
            name: "phases-time",
            title: "Time by phase, native and WebAssembly".into(),
            subtitle: "Loading, the whole prompt, all generated tokens; lower is better; logarithmic".into(),
            axis: "milliseconds".into(),
            logarithmic: true,
            legend: Vec::new(),
            reference: None,
            panels: panels(report, wall, &phases("time"), milliseconds),
            trend: None,
        },
        Chart {
            name: "phases-instructions",
            title: format!("Instructions by phase, {}", report.emulated()),
            subtitle: "Counted by the emulator, identical in two runs; lower is better; logarithmic".into(),
            axis: "instructions".into(),
            logarithmic: true,
            legend: Vec::new(),
            reference: None,
            panels: panels(report, emulated, &phases("instructions"), short),
            trend: None,
        },
        Chart {
            name: "kernels",
            title: "Ternary kernels by shape, native and WebAssembly".into(),
            subtitle: "Dot: one token; ring: 16 tokens at once; higher is better; logarithmic".into(),
            axis: "G weights/s".into(),
            logarithmic: true,
            legend: Vec::new(),
            reference: None,
            panels: probes::rates(report),
            trend: None,
        },
    ];
    charts.push(forest::chart(report));
    charts.push(noise::chart(report));
    charts
}

fn phases(metric: &'static str) -> [(&'static str, &'static str, &'static str); 3] {
    [("load", metric, " load"), ("prefill", metric, " prefill"), ("decode", metric, " decode")]
}

/// A panel per workload, a row per cell and quantity.
fn panels(
    report: &Report,
    keep: impl Fn(Cell) -> bool,
    quantities: &[(&str, &str, &str)],
    show: impl Fn(f64) -> String,
) -> Vec<Panel> {
    let mut panels = Vec::new();
    for workload in report.workloads() {
        let mut rows = Vec::new();
        for cell in Cell::all().filter(|cell| keep(*cell)) {
            let names = (cell.target.name, cell.variant.name);
            let mut mark = |suffix: &str, value: Option<&Summary>, text: String| {
                rows.push(Mark { value: value.map(|s| (s.q1, s.median, s.q3)), ..Mark::new(cell, suffix, text) });
            };
            let found = quantities.iter().filter_map(|(phase, metric, suffix)| {
                report.find(names, workload, phase, metric).map(|summary| (suffix, summary))
            });
            let found: Vec<_> = found.collect();
            for (suffix, summary) in &found {
                mark(suffix, Some(summary), show(summary.median));
            }
            if found.is_empty()
                && let Some(reason) = report.gap(names, workload)
            {
                mark("", None, reason);
            }
        }
        if !rows.is_empty() {
            panels.push(Panel { title: workload.to_string(), rows });
        }
    }
    panels
}
