//! The data of a chart: marks on an axis, or values over runs.

use crate::report::tables::numbers::number;
use crate::targets::Cell;

/// A chart: panels of rows on one axis.
#[derive(Debug, Clone)]
pub struct Chart {
    /// File name without the extension.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// What is needed to read it.
    pub subtitle: String,
    /// The quantity on the axis, with its unit.
    pub axis: String,
    /// Whether the axis is logarithmic, with dots and quartiles; otherwise bars from zero.
    pub logarithmic: bool,
    /// Names of the parts of stacked bars, in order; empty if nothing is stacked.
    pub legend: Vec<&'static str>,
    /// The value of no difference: a line is drawn there, and labels show the difference from it.
    pub reference: Option<f64>,
    /// One panel per workload.
    pub panels: Vec<Panel>,
    /// Instead of panels: values over several runs.
    pub trend: Option<Trend>,
}

impl Chart {
    /// Whether it has any data.
    pub(in crate::report) fn shows(&self) -> bool {
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
    /// Target and variant, possibly with the phase.
    pub label: String,
    /// The target's colour.
    pub colour: (u8, u8, u8),
    /// First quartile, median and third quartile; none if nothing was measured.
    pub value: Option<(f64, f64, f64)>,
    /// A second value on the same axis, drawn as a ring.
    pub ring: Option<f64>,
    /// The parts of a stacked bar, which ends at their sum.
    pub parts: Vec<f64>,
    /// Single values, drawn as small dots behind the mark.
    pub dots: Vec<f64>,
    /// The median as text, or why there is none.
    pub text: String,
}

impl Mark {
    /// A row without a value.
    pub(super) fn new(cell: Cell, suffix: &str, text: String) -> Self {
        let label = format!("{cell}{suffix}");
        Mark { label, colour: cell.target.colour, value: None, ring: None, parts: Vec::new(), dots: Vec::new(), text }
    }
}

/// Values over several runs: panels of series over the same runs.
#[derive(Debug, Clone)]
pub struct Trend {
    /// Descriptions of the runs; charts number them from 1.
    pub runs: Vec<String>,
    /// Indices of runs on another machine than the run before.
    pub moves: Vec<usize>,
    /// Whether values are changes: ratios to the first comparable one.
    pub relative: bool,
    /// One panel per target and workload.
    pub panels: Vec<TrendPanel>,
}

/// The series of one panel, on their own axis.
#[derive(Debug, Clone)]
pub struct TrendPanel {
    /// The quantity, with its unit.
    pub title: String,
    /// The target's colour.
    pub colour: (u8, u8, u8),
    /// One per variant, distinguished by their signs.
    pub series: Vec<Series>,
}

/// Values over the runs.
#[derive(Debug, Clone)]
pub struct Series {
    /// The variant, with the last value as text.
    pub label: String,
    /// Index of its sign: the variant's position among those of its target.
    pub sign: usize,
    /// For each run its value, and whether it is comparable with the one before, to which a line then leads.
    pub points: Vec<Option<(f64, bool)>>,
}

/// A count with a suffix for thousands, millions or billions.
pub(super) fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{} G", number(v / 1e9)),
        v if v >= 1e6 => format!("{} M", number(v / 1e6)),
        v if v >= 1e3 => format!("{} k", number(v / 1e3)),
        v => number(v),
    }
}
