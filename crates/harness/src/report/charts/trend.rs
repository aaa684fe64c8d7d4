//! The contents of the charts of the history. `draw_trend` draws them.

use super::chart::{Chart, Series, Trend, TrendPanel};
use crate::definitions::metrics::EVERY_VARIANT;
use crate::report::history::points::{History, PastRun, Point, Quantity};
use crate::targets::{Cell, targets};

/// The charts for which the history has at least two runs.
pub(super) fn charts(history: &History) -> Vec<Chart> {
    let chart = |name, title: &str, subtitle: &str, axis: &str, runs, quantities: &[Quantity]| Chart {
        name,
        title: title.into(),
        subtitle: subtitle.into(),
        axis: axis.into(),
        logarithmic: true,
        legend: Vec::new(),
        reference: None,
        panels: Vec::new(),
        // A counter accepted before baselines recorded its key has no reference value.
        trend: trend(runs, quantities, name == "history-counters"),
    };
    let counters = [Quantity::Instructions, Quantity::Fuel, Quantity::Memory, Quantity::Code];
    let mut charts = vec![
        chart(
            "history-speed",
            "Decode speed over published runs",
            "Not connected: two sessions differ, even on one machine; logarithmic",
            "published run",
            &history.runs,
            &[Quantity::Speed],
        ),
        chart(
            "history-share",
            "Share of the memory roof over published runs",
            "Relative to the roof measured in the same run; not connected",
            "published run",
            &history.runs,
            &[Quantity::Share],
        ),
        chart(
            "history-counters",
            "Counters over published runs",
            "Change since the first run, restarting at 0 % if model, compiler or tool changed; less is better",
            "published run",
            &history.runs,
            &counters,
        ),
        chart(
            "history-accepted",
            "Accepted instructions of native decode, by callgrind",
            "Connected if model, compiler and valgrind are known to be the same; less is better",
            "acceptance in ci/baselines/native.json",
            &history.accepted,
            &[Quantity::Callgrind],
        ),
    ];
    charts.retain(Chart::shows);
    charts
}

fn trend(runs: &[PastRun], quantities: &[Quantity], relative: bool) -> Option<Trend> {
    let mut panels: Vec<TrendPanel> = Vec::new();
    for &quantity in quantities {
        for target in targets() {
            let points = || runs.iter().flat_map(|run| &run.points);
            let mine = |point: &&Point| point.quantity == quantity && point.target == target.name;
            let mut workloads: Vec<&str> = Vec::new();
            for point in points().filter(mine) {
                if !workloads.contains(&point.workload.as_str()) {
                    workloads.push(&point.workload);
                }
            }
            for workload in workloads {
                let variants = Cell::all().filter(|cell| cell.target == target).map(|cell| cell.variant.name);
                let series = std::iter::once(EVERY_VARIANT).chain(variants).enumerate();
                let series = series.filter_map(|(i, variant)| {
                    let name = (quantity, target.name, variant, workload);
                    series_of(runs, name, i.saturating_sub(1), relative)
                });
                let series: Vec<Series> = series.collect();
                // One point shows no trend.
                if series.iter().any(|series| series.points.iter().flatten().count() > 1) {
                    let title = format!("{} {workload}: {}", target.name, quantity.title());
                    panels.push(TrendPanel { title, colour: target.colour, series });
                }
            }
        }
    }
    let words = |run: &PastRun| format!("{} ({}, {})", run.name, run.date(), run.commit);
    let moves = (1..runs.len()).filter(|&i| runs[i].machine != runs[i - 1].machine).collect();
    let trend = Trend { runs: runs.iter().map(words).collect(), moves, relative, panels };
    (runs.len() > 1 && !trend.panels.is_empty()).then_some(trend)
}

/// The series of one name. Changes restart from zero wherever a value is not comparable with the one before it.
fn series_of(runs: &[PastRun], name: (Quantity, &str, &str, &str), sign: usize, relative: bool) -> Option<Series> {
    let (quantity, _, variant, _) = name;
    let mut points = Vec::new();
    let mut last: Option<(&Point, f64)> = None;
    for run in runs {
        let Some(point) = run.find(name) else {
            points.push(None);
            continue;
        };
        let change = last.and_then(|(before, ratio)| Some(ratio * point.change(before)?));
        let ratio = change.unwrap_or(1.0);
        points.push(Some((if relative { ratio } else { quantity.on_axis(point.value) }, change.is_some())));
        last = Some((point, ratio));
    }
    let (point, _) = last?;
    let value = quantity.show(point.value);
    let label = if variant == EVERY_VARIANT { value } else { format!("{variant} {value}") };
    Some(Series { label, sign, points })
}
