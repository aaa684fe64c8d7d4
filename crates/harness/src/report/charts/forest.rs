//! The forest chart: every comparison as a ratio with its interval, and below it the first side compared with itself.

use super::chart::{Chart, Mark, Panel};
use crate::report::summary::report::Report;
use crate::targets::Target;
use crate::verdicts::comparison::{Comparison, percent};
use crate::verdicts::stats::paired::Ratio;
use crate::verdicts::stats::verdict::Verdict;

pub(super) const GREY: (u8, u8, u8) = (0x77, 0x77, 0x77);

/// The chart; without rows if nothing was compared.
pub fn chart(report: &Report) -> Chart {
    let mut panels: Vec<Panel> = Vec::new();
    let one_pair = report.comparisons.windows(2).all(|two| two[0].sides == two[1].sides);
    for comparison in &report.comparisons {
        let title = if one_pair {
            comparison.workload.clone()
        } else {
            format!("{}: {}", comparison.sides[1], comparison.workload)
        };
        let rows = [row(comparison), noise_row(comparison)];
        match panels.iter_mut().find(|panel| panel.title == title) {
            Some(panel) => panel.rows.extend(rows),
            None => panels.push(Panel { title, rows: rows.into() }),
        }
    }
    let sides = report.comparisons.first().filter(|_| one_pair);
    let sides = sides.map_or("Each".to_string(), |c| format!("{} compared with {}", c.sides[1], c.sides[0]));
    Chart {
        name: "comparison",
        title: "Time relative to the other side".into(),
        subtitle: format!("{sides}: median of pairs and 95 % interval; less is faster"),
        axis: "change of time".into(),
        logarithmic: true,
        legend: Vec::new(),
        reference: Some(1.0),
        panels,
        trend: None,
    }
}

pub(super) fn value(ratio: Option<Ratio>) -> Option<(f64, f64, f64)> {
    ratio.map(|ratio| (ratio.low, ratio.middle, ratio.high))
}

fn row(comparison: &Comparison) -> Mark {
    let colour = Target::named(&comparison.target).map_or(GREY, |target| target.colour);
    let said = match comparison.verdict {
        Verdict::Regression => "slower",
        Verdict::Improvement => "faster",
        Verdict::NotMeasurable => "not measurable",
        Verdict::NotComparable => "not comparable",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Noise => "noise",
    };
    let text = comparison.change.map_or(said.to_string(), |ratio| format!("{} {said}", percent(ratio.middle)));
    Mark {
        label: comparison.phase.clone(),
        colour,
        value: value(comparison.change),
        ring: None,
        parts: Vec::new(),
        dots: Vec::new(),
        text,
    }
}

fn noise_row(comparison: &Comparison) -> Mark {
    let text = comparison.noise.map_or("none".to_string(), |ratio| percent(ratio.middle));
    Mark {
        label: "compared with itself".into(),
        colour: GREY,
        value: value(comparison.noise),
        ring: None,
        parts: Vec::new(),
        dots: Vec::new(),
        text,
    }
}
