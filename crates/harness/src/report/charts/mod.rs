//! The charts of a report.

mod all;
mod axis;
pub(in crate::report) mod chart;
mod draw;
mod draw_trend;
mod forest;
mod labels;
mod look;
mod noise;
mod probes;
mod smaller;
mod trend;

pub use all::{all, history};
pub use chart::{Chart, Mark, Panel, Series, Trend, TrendPanel};
pub use draw::{png, svg};
pub use look::{INLINE, Look, PAGE};
