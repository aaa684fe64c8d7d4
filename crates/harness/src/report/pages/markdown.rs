//! The report as Markdown, and the README's block.

use super::words;
use crate::report::charts::{self, Chart};
use crate::report::summary::report::Report;
use crate::report::tables::{self, Table, overview};
use crate::workspace::error::Error;
use std::path::{Path, PathBuf};

/// Conclusions that the numbers do not support.
pub fn not_shown(report: &Report) -> Vec<String> {
    let compared = report.each().iter().any(|part| !part.comparisons.is_empty());
    let machines = if report.parts.is_empty() {
        "One machine, one thread: no conclusions about other CPUs, concurrent streams or a warm server."
    } else {
        "One thread, and each shard on one machine: machines, targets and variants of different shards cannot be \
         compared, and there are no conclusions about concurrent streams or a warm server."
    };
    let intervals = if compared {
        "Intervals apply to one session on this machine. Numbers without one are medians and quartiles; two \
         sessions, or two machines, differ by more than the quartiles show."
    } else {
        "No intervals: medians and quartiles of one session. Two sessions, or two machines, differ by more than the \
         quartiles show."
    };
    vec![
        machines.to_string(),
        intervals.to_string(),
        match (report.emulated(), report.waits()) {
            ("Xtensa", None) => {
                format!("Xtensa was emulated: tokens/s are {}. Real flash and PSRAM are slower.", report.assumption())
            }
            _ => format!("{} Real flash and PSRAM are slower.", report.modelled()),
        },
        "Synthetic models have the shapes of trained ones, but random weights: speed and memory are representative, \
         text is not."
            .to_string(),
    ]
}

/// The whole page, with its charts from the folder `charts` beside it.
pub fn page(report: &Report) -> String {
    let chart = |chart: &Chart| format!("![{}](charts/{}.svg)\n\n", chart.title, chart.name);
    let charts: Vec<String> = charts::all(report).iter().map(chart).collect();
    let (first, others) = charts.split_at(charts.len().min(1));
    page_with(report, &first.concat(), &others.concat())
}

/// The page without charts, for a run in `folder` that keeps none.
pub fn page_without_charts(report: &Report, folder: &str) -> String {
    page_with(report, "", &format!("`cargo xtask report {folder}` generates the charts and the HTML page.\n\n"))
}

fn page_with(report: &Report, first_chart: &str, charts: &str) -> String {
    let mut out = format!("# Benchmark: {}\n\n", title(report));
    out += &words::first(report).into_iter().map(|words| format!("- {words}\n")).collect::<String>();
    out += &format!("\n{first_chart}");
    for table in tables::first(report) {
        out += &section(&table);
    }
    out += charts;
    for table in tables::all(report) {
        out += &section(&table);
    }
    for (title, rows) in provenance(report) {
        out += &format!("## {title}\n\n| what | value |\n|---|---|\n");
        for (name, value) in rows {
            out += &format!("| {name} | {} |\n", escape(&value));
        }
        out.push('\n');
    }
    out += "## What this does not show\n\n";
    for line in not_shown(report) {
        out += &format!("- {line}\n");
    }
    out += &format!("\n{}\n", made_from(report, "`"));
    out
}

/// The name of the run, or the names of all parts.
pub fn title(report: &Report) -> String {
    let mut names: Vec<&str> = report.each().iter().map(|part| part.provenance.name.as_str()).collect();
    names.dedup();
    names.join(" + ")
}

/// A sentence about the page's sources, with `mark` around commands.
pub fn made_from(report: &Report, mark: &str) -> String {
    let history = if report.history.is_empty() { "" } else { ", and its history from the earlier published runs" };
    format!("This page is generated from the records beside it{history}, by {mark}cargo xtask report{mark}.")
}

/// A title, with names and values.
pub type Section = (String, Vec<(String, String)>);

/// The provenance: a section for each run.
pub fn provenance(report: &Report) -> Vec<Section> {
    let title = |part: &Report| match &part.provenance.shard {
        Some(shard) if !report.parts.is_empty() => {
            format!("Provenance of shard {}: {}", shard.index, shard.name)
        }
        _ => "Provenance".to_string(),
    };
    report.each().iter().map(|part| (title(part), provenance_of_one(part))).collect()
}

fn provenance_of_one(report: &Report) -> Vec<(String, String)> {
    let p = &report.provenance;
    let mut rows: Vec<(String, String)> = vec![
        ("command".into(), format!("{}{}", p.command, if p.quick { " (a quick run)" } else { "" })),
        ("started".into(), format!("{}, took {} s without builds", p.started, p.seconds)),
        ("commit".into(), p.short_commit()),
        ("CPU".into(), format!("{}, {} processors", p.cpu, p.cpus)),
        ("timed runs pinned to".into(), p.pinned_to.map_or("nothing".into(), |cpu| format!("processor {cpu}"))),
        ("system".into(), format!("{}, kernel {}", p.system, p.kernel)),
        ("load average at the start".into(), p.load_average.clone()),
        ("time stolen by the hypervisor".into(), format!("{:.2} s", p.steal as f64 / 100.0)),
        ("golden streams".into(), p.golden.clone()),
    ];
    if !p.resumed.is_empty() {
        // Its times are from more than one session.
        rows.insert(2, ("interrupted and resumed".into(), p.resumed.join(", ")));
    }
    rows.extend(p.tools.iter().map(|(name, version)| (name.clone(), version.clone())));
    rows.extend(p.models.iter().map(|(name, digest)| (format!("model `{name}`"), digest.clone())));
    rows.push(("CPU features".into(), p.cpu_features.clone()));
    rows
}

fn section(table: &Table) -> String {
    let mut out = format!("## {}\n\n", table.title);
    if !table.note.is_empty() {
        out += &format!("{}\n\n", table.note);
    }
    // A folded table is longer than the rest of the page.
    if table.folded {
        out += &format!("{} rows, in the HTML page.\n\n", table.rows.len());
    } else {
        out += &format!("{}\n", grid(table));
    }
    out
}

fn grid(table: &Table) -> String {
    let mut out = format!("| {} |\n|{}\n", table.columns.join(" | "), "---|".repeat(table.columns.len()));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out
}

fn escape(cell: &str) -> String {
    cell.replace('|', "\\|").replace('\n', "<br>")
}

const BEGIN: &str = "<!-- results:begin -->";
const END: &str = "<!-- results:end -->";

/// The README with its results block generated from a report and from those of other kinds of CPU, each with its folder
/// relative to the README.
///
/// # Errors
/// If the README has no such block.
pub fn readme(text: &str, (report, folder): (&Report, &Path), beside: &[(Report, PathBuf)]) -> Result<String, Error> {
    let (before, after) = around_results(text)?;
    let table = overview::table(report);
    let mut block = format!("{BEGIN}\n{}\n{}", grid(&table), table.note);
    if !table.note.is_empty() {
        block.push(' ');
    }
    block += &source(report, folder);
    let folder = folder.display();
    for chart in charts::all(report).iter().filter(|chart| ["throughput", "memory"].contains(&chart.name)) {
        block += &format!("\n![{}]({folder}/charts/{}.svg)\n", chart.title, chart.name);
    }
    for (report, folder) in beside {
        block += &format!("\n{}\n{}", grid(&overview::timed(report)), source(report, folder));
    }
    Ok(format!("{before}{block}{after}"))
}

/// Where the numbers of a report come from, as a line.
fn source(report: &Report, folder: &Path) -> String {
    let p = &report.provenance;
    let mut machines: Vec<&str> = report.each().iter().map(|part| part.provenance.cpu.as_str()).collect();
    machines.dedup();
    let (date, machines, folder) = (p.started.get(..10).unwrap_or(""), machines.join(" and "), folder.display());
    format!(
        "Measured {date} on {machines} at commit {}; the full report is [{folder}/report.md]({folder}/report.md).\n",
        p.short_commit()
    )
}

/// Whether the README shows any results.
///
/// # Errors
/// As [`readme`].
pub fn has_results(text: &str) -> Result<bool, Error> {
    let (before, after) = around_results(text)?;
    let block = text.strip_prefix(before).and_then(|text| text.strip_suffix(after)).unwrap_or_default();
    Ok(!block.trim_start_matches(BEGIN).trim().is_empty())
}

/// The README before and after its results.
fn around_results(text: &str) -> Result<(&str, &str), Error> {
    let marks = text.find(BEGIN).zip(text.find(END)).filter(|(begin, end)| begin < end);
    let (begin, end) = marks.ok_or_else(|| {
        Error::Refused(format!("README.md has no block between `{BEGIN}` and `{END}` for the results"))
    })?;
    Ok((&text[..begin], &text[end..]))
}

/// A table for a terminal, with aligned columns.
pub fn plain(table: &Table) -> String {
    let clean = |cell: &String| cell.replace('`', "");
    let lines: Vec<Vec<String>> =
        std::iter::once(&table.columns).chain(&table.rows).map(|row| row.iter().map(clean).collect()).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    if table.note.is_empty() { out } else { out + &table.note + "\n" }
}
