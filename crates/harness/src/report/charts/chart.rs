//! What a chart is: marks on an axis, or values over runs.

use crate::report::tables::numbers::number;
use crate::targets::Cell;

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
    pub(super) fn new(cell: Cell, suffix: &str, text: String) -> Self {
        let label = format!("{cell}{suffix}");
        Mark { label, colour: cell.target.colour, value: None, ring: None, parts: Vec::new(), dots: Vec::new(), text }
    }
}

/// How values moved from run to run: panels of series over the same runs.
#[derive(Debug, Clone)]
pub struct Trend {
    /// The runs, in words; charts number them from 1.
    pub runs: Vec<String>,
    /// Runs that another machine than that of the run before made.
    pub moves: Vec<usize>,
    /// Whether values are changes: ratios to the first that may be compared.
    pub relative: bool,
    /// One panel for a target and workload.
    pub panels: Vec<TrendPanel>,
}

/// The series of one panel, on an axis of their own.
#[derive(Debug, Clone)]
pub struct TrendPanel {
    /// What they are of, with the unit.
    pub title: String,
    /// The target's colour.
    pub colour: (u8, u8, u8),
    /// One for each variant, told apart by their signs.
    pub series: Vec<Series>,
}

/// Values over the runs.
#[derive(Debug, Clone)]
pub struct Series {
    /// The variant, and the last value in words.
    pub label: String,
    /// Which sign stands for it: the variant's place among those of its target.
    pub sign: usize,
    /// For each run its value, and whether it may be compared with the one before it, to which a line then leads.
    pub points: Vec<Option<(f64, bool)>>,
}

/// A count in millions or thousands.
pub(super) fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{} G", number(v / 1e9)),
        v if v >= 1e6 => format!("{} M", number(v / 1e6)),
        v if v >= 1e3 => format!("{} k", number(v / 1e3)),
        v => number(v),
    }
}
