//! The tables and charts of merged runs: those of all parts, joined if they have the same columns, with the part in
//! every row.

use super::table::Table;
use crate::report::charts::chart::{Chart, Panel};
use crate::report::summary::report::Report;

/// Title of the column with the part's number.
const SHARD: &str = "shard";

/// Tables of every part. Those with the same columns are joined; others are named after their part.
pub(in crate::report) fn tables(report: &Report, of: impl Fn(&Report) -> Vec<Table>) -> Vec<Table> {
    if report.parts.is_empty() {
        return of(report);
    }
    let mut groups: Vec<(String, Vec<(usize, Table)>)> = Vec::new();
    for (i, part) in report.parts.iter().enumerate() {
        // Every part gives all tables in the same order, including empty ones, so they match by position.
        for table in of(part) {
            let at = groups.iter().position(|(title, _)| *title == table.title).unwrap_or(groups.len());
            if at == groups.len() {
                groups.push((table.title.clone(), Vec::new()));
            }
            if !table.rows.is_empty() {
                groups[at].1.push((i + 1, table));
            }
        }
    }
    groups.retain(|(_, tables)| !tables.is_empty());
    groups.into_iter().flat_map(|(_, tables)| join(tables)).collect()
}

fn join(tables: Vec<(usize, Table)>) -> Vec<Table> {
    if !tables.iter().all(|(_, table)| table.columns == tables[0].1.columns) {
        let apart =
            |(shard, table): (usize, Table)| Table { title: format!("{}, shard {shard}", table.title), ..table };
        return tables.into_iter().map(apart).collect();
    }
    let mut notes: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let (title, columns, folded) = (tables[0].1.title.clone(), tables[0].1.columns.clone(), tables[0].1.folded);
    for (shard, table) in tables {
        if !notes.contains(&table.note) {
            notes.push(table.note);
        }
        rows.extend(table.rows.into_iter().map(|row| std::iter::once(shard.to_string()).chain(row).collect()));
    }
    if columns.first().is_some_and(|column| column == "workload") {
        let mut order: Vec<String> = Vec::new();
        for row in &rows {
            if !order.contains(&row[1]) {
                order.push(row[1].clone());
            }
        }
        rows.sort_by_key(|row| order.iter().position(|workload| *workload == row[1]));
    }
    let columns = std::iter::once(SHARD.to_string()).chain(columns).collect();
    vec![Table { title, note: notes.join(" "), columns, rows, folded }]
}

/// Charts of every part; a panel has the rows of all parts, each with the number of its part.
pub(in crate::report) fn charts(report: &Report, of: impl Fn(&Report) -> Vec<Chart>) -> Vec<Chart> {
    if report.parts.is_empty() {
        return of(report);
    }
    let mut joined: Vec<Chart> = Vec::new();
    for (i, part) in report.parts.iter().enumerate() {
        // As with tables: all charts in the same order, including empty ones.
        for mut chart in of(part) {
            for mark in chart.panels.iter_mut().flat_map(|panel| &mut panel.rows) {
                mark.label = format!("{} ({})", mark.label, i + 1);
            }
            chart.subtitle = format!("{}; in brackets: the shard", chart.subtitle);
            match joined.iter_mut().find(|other| other.name == chart.name) {
                Some(other) if other.shows() => add_panels(other, chart.panels),
                Some(other) if chart.shows() => *other = chart,
                Some(_) => {}
                None => joined.push(chart),
            }
        }
    }
    joined
}

/// Adds rows to the panels with the same titles.
fn add_panels(chart: &mut Chart, panels: Vec<Panel>) {
    for panel in panels {
        match chart.panels.iter_mut().find(|same| same.title == panel.title) {
            Some(same) => same.rows.extend(panel.rows),
            None => chart.panels.push(panel),
        }
    }
}

/// What each part measured and where; empty if there are no parts.
pub(in crate::report) fn shards(report: &Report) -> Table {
    let row = |part: &Report| {
        let p = &part.provenance;
        let (index, name) = p.shard.as_ref().map_or((0, ""), |shard| (shard.index, shard.name.as_str()));
        vec![index.to_string(), name.to_string(), measured(part), p.machine(), p.started.clone(), p.command.clone()]
    };
    let rows = report.parts.iter().map(row).collect();
    let note = "Each shard was measured separately: numbers of different shards are shown together but never divided \
        by each other. Shares of the roof are computed within a shard. Equal descriptions do not mean that two \
        machines are the same.";
    let columns = [SHARD, "name", "measured", "machine", "started", "command"];
    Table::new("Shards", note, &columns, rows)
}

/// The cells that a part has numbers for: `native: avx2, generic; wasm: simd128`.
fn measured(part: &Report) -> String {
    let mut targets: Vec<(&str, Vec<&str>)> = Vec::new();
    for m in &part.measurements {
        let variants = match targets.iter_mut().find(|(target, _)| *target == m.target) {
            Some((_, variants)) => variants,
            None => {
                targets.push((&m.target, Vec::new()));
                let last = targets.len() - 1;
                &mut targets[last].1
            }
        };
        if !variants.contains(&m.variant.as_str()) {
            variants.push(&m.variant);
        }
    }
    // A comparison has pairs in place of samples.
    for side in part.comparisons.iter().flat_map(|comparison| &comparison.sides) {
        if !targets.iter().any(|(target, _)| target == side) {
            targets.push((side, Vec::new()));
        }
    }
    let text = |(target, variants): &(&str, Vec<&str>)| {
        if variants.is_empty() { target.to_string() } else { format!("{target}: {}", variants.join(", ")) }
    };
    if targets.is_empty() { "nothing".into() } else { targets.iter().map(text).collect::<Vec<_>>().join("; ") }
}
