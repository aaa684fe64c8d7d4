//! The A/A chart: the first side compared with itself, pair by pair, with the median and its interval: the noise of this
//! session.

use super::chart::{Chart, Mark, Panel};
use super::forest::{GREY, value};
use crate::report::summary::report::Report;
use crate::targets::Target;
use crate::verdicts::comparison::{Comparison, percent};

/// Most dots of a row: more overlap, and make the page megabytes large.
const MOST_DOTS: usize = 120;

/// The chart; without rows if nothing was compared.
pub(super) fn chart(report: &Report) -> Chart {
    let mut panels: Vec<Panel> = Vec::new();
    for comparison in &report.comparisons {
        let title = format!("{}: {}", comparison.sides[0], comparison.workload);
        let row = row(comparison);
        match panels.iter_mut().find(|panel| panel.title == title) {
            // A side that was compared with several others has one set of A/A pairs for each.
            Some(panel) => panel.rows.push(row),
            None => panels.push(Panel { title, rows: vec![row] }),
        }
    }
    Chart {
        name: "noise",
        title: "Noise of the session: the first side compared with itself".into(),
        subtitle: "Small dots: pairs; large dot and bar: median and 95 % interval".into(),
        axis: "difference of two runs of the same side".into(),
        logarithmic: true,
        legend: Vec::new(),
        reference: Some(1.0),
        panels,
        trend: None,
    }
}

fn row(comparison: &Comparison) -> Mark {
    let colour = Target::named(&comparison.target).map_or(GREY, |target| target.colour);
    let text = comparison.noise.map_or("none".to_string(), |ratio| {
        format!("{} ({} to {})", percent(ratio.middle), percent(ratio.low), percent(ratio.high))
    });
    Mark {
        label: comparison.phase.clone(),
        colour,
        value: value(comparison.noise),
        ring: None,
        parts: Vec::new(),
        dots: thinned(&comparison.noise_pairs),
        text,
    }
}

/// At most [`MOST_DOTS`] of the values with the same distribution, including the smallest and the largest.
fn thinned(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.len() <= MOST_DOTS {
        return sorted;
    }
    (0..MOST_DOTS).map(|i| sorted[i * (sorted.len() - 1) / (MOST_DOTS - 1)]).collect()
}
