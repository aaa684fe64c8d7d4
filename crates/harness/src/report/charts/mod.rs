//! The charts of a report: what is in each. How they are drawn is in `draw`.

mod axis;
mod draw;
mod draw_trend;
mod forest;
mod labels;
mod noise;
mod probes;
mod trend;

pub use draw::{INLINE, Look, PAGE, png, svg};
pub use trend::Trend;

use super::tables::{bytes, number};
use super::{Report, join};
use crate::definitions::metrics::PARTS;
use crate::targets::{Cell, Clock};
use crate::verdicts::stats::Summary;

/// A chart: panels of rows on one axis.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Name of its files.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// What a reader must know to read it.
    pub subtitle: String,
    /// What the axis counts, with its unit.
    pub axis: String,
    /// Whether the axis is logarithmic: dots with their quartiles. Otherwise bars from zero.
    pub logarithmic: bool,
    /// What the parts of stacked bars stand for, in their order; none where nothing is stacked.
    pub legend: Vec<&'static str>,
    /// A value of no difference: a line is drawn there, values are near it, and labels say how far from it they are.
    pub reference: Option<f64>,
    /// One panel a workload.
    pub panels: Vec<Panel>,
    /// Instead of panels: how values moved from run to run.
    pub trend: Option<Trend>,
}

impl Chart {
    /// Whether it has anything to show.
    pub(super) fn shows(&self) -> bool {
        self.trend.is_some() || self.panels.iter().flat_map(|panel| &panel.rows).any(|mark| mark.value.is_some())
    }
}

/// The rows of one workload.
#[derive(Debug, Clone)]
pub struct Panel {
    /// The workload.
    pub title: String,
    /// Its rows.
    pub rows: Vec<Mark>,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Target and variant, perhaps the phase.
    pub label: String,
    /// The target's colour.
    pub colour: (u8, u8, u8),
    /// First quartile, median and third quartile; none where nothing was measured.
    pub value: Option<(f64, f64, f64)>,
    /// A second value on the same axis, drawn as a ring.
    pub ring: Option<f64>,
    /// The parts of a stacked bar, which ends where they do.
    pub parts: Vec<f64>,
    /// Single values behind the mark, drawn as small dots.
    pub dots: Vec<f64>,
    /// The median in words, or why there is none.
    pub text: String,
}

impl Mark {
    /// A row without a value.
    fn new(cell: Cell, suffix: &str, text: String) -> Self {
        let label = format!("{cell}{suffix}");
        Mark { label, colour: cell.target.colour, value: None, ring: None, parts: Vec::new(), dots: Vec::new(), text }
    }
}

/// Every chart that the report has numbers for.
pub fn all(report: &Report) -> Vec<Chart> {
    let mut charts = join::charts(report, of_one);
    charts.retain(Chart::shows);
    charts.extend(trend::charts(&report.history));
    charts
}

/// Those of one run, in a fixed order; where it has no numbers for one, that is empty.
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
            title: "Share of the memory's roof".into(),
            subtitle: "Bytes needed over what the fastest variant's loads deliver at this size; higher is better"
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
            title: "Where a token's time goes, native and WebAssembly".into(),
            subtitle: "Each bar is one token of decode; at its end the time that it takes".into(),
            axis: "% of the token".into(),
            logarithmic: false,
            legend: PARTS.iter().map(|(_, title)| *title).collect(),
            reference: None,
            panels: probes::parts(report, Clock::Wall),
            trend: None,
        },
        Chart {
            name: "parts-instructions",
            title: "Where a token's instructions go, Xtensa".into(),
            subtitle: "Each bar is one token of decode; at its end the instructions that it takes".into(),
            axis: "% of the token's instructions".into(),
            logarithmic: false,
            legend: PARTS.iter().map(|(_, title)| *title).collect(),
            reference: None,
            panels: probes::parts(report, Clock::Instructions),
            trend: None,
        },
        Chart {
            name: "xtensa",
            title: "Decode speed, Xtensa, modelled".into(),
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
            subtitle: "Load, the whole prompt, all generated tokens; lower is better; logarithmic".into(),
            axis: "milliseconds".into(),
            logarithmic: true,
            legend: Vec::new(),
            reference: None,
            panels: panels(report, wall, &phases("time"), milliseconds),
            trend: None,
        },
        Chart {
            name: "phases-instructions",
            title: "Instructions by phase, Xtensa".into(),
            subtitle: "Counted by the emulator, the same in two runs; lower is better; logarithmic".into(),
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

/// A panel for every workload, a row for every cell and quantity.
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

/// A count in millions or thousands.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{} G", number(v / 1e9)),
        v if v >= 1e6 => format!("{} M", number(v / 1e6)),
        v if v >= 1e3 => format!("{} k", number(v / 1e3)),
        v => number(v),
    }
}
