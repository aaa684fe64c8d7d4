//! The first page of the site: the newest run of each kind of machine, the history, and a list of all runs.

use super::html::{figures, without_backticks};
use super::words;
use crate::report::charts;
use crate::report::summary::report::Report;
use crate::workspace::error::Error;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

/// Marks the page, so that a site may replace an earlier one and nothing else.
pub const GENERATOR: &str = "cargo xtask report --site";

/// A run of the site.
pub struct Entry {
    /// Its folder, relative to the page.
    pub folder: String,
    /// The file of its records there.
    pub records: String,
    /// Its report, with its history.
    pub report: Report,
}

#[derive(Serialize)]
struct Line {
    folder: String,
    records: String,
    name: String,
    date: String,
    commit: String,
    answers: String,
    machine: String,
}

#[derive(Serialize)]
struct Newest {
    cpu: String,
    folder: String,
    name: String,
    words: Vec<String>,
}

/// The page of these runs, the newest first.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(runs: &[Entry]) -> Result<String, Error> {
    let draw = |error: minijinja::Error| Error::Draw { what: "index.html".into(), message: format!("{error:#}") };
    let mut newest: Vec<Newest> = Vec::new();
    for Entry { folder, report, .. } in runs {
        let (cpu, name) = (&report.provenance.cpu, &report.provenance.name);
        if newest.iter().all(|known| known.cpu != *cpu) {
            let words = words::first(report).into_iter().map(without_backticks).collect();
            newest.push(Newest { cpu: cpu.clone(), folder: folder.clone(), name: name.clone(), words });
        }
    }
    let history = runs.first().map_or(Vec::new(), |run| charts::history(&run.report));
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("site", include_str!("site.html")).map_err(draw)?;
    let page = environment.get_template("site").map_err(draw)?.render(context! {
        generator => GENERATOR,
        newest => Serde(newest),
        figures => Serde(figures(&history)?),
        runs => Serde(runs.iter().map(line).collect::<Vec<Line>>()),
    });
    page.map_err(draw)
}

fn line(Entry { folder, records, report }: &Entry) -> Line {
    let p = &report.provenance;
    Line {
        folder: folder.clone(),
        records: records.clone(),
        name: p.name.clone(),
        date: p.started.get(..10).unwrap_or_default().into(),
        commit: p.short_commit(),
        answers: format!("{} right, {} failed", report.passed, report.failed),
        machine: p.machine(),
    }
}
