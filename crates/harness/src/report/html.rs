//! The report as one HTML page that needs nothing else: charts are in it, and so is its style.

use super::Report;
use super::charts;
use super::markdown;
use super::tables::{self, Table};
use crate::error::Error;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

#[derive(Serialize)]
struct Figure {
    title: String,
    subtitle: String,
    svg: String,
}

/// The whole page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(report: &Report) -> Result<String, Error> {
    let mut figures = Vec::new();
    for chart in charts::all(report) {
        let svg = charts::svg(&chart, charts::INLINE)?;
        figures.push(Figure { title: chart.title.clone(), subtitle: chart.subtitle.clone(), svg });
    }
    let draw = |error: minijinja::Error| Error::Draw { what: "report.html".into(), message: format!("{error:#}") };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", include_str!("page.html")).map_err(draw)?;
    let plain = |text: String| text.replace('`', "");
    let tables: Vec<Table> = tables::all(report).into_iter().map(without_marks).collect();
    let page = environment.get_template("page").map_err(draw)?.render(context! {
        name => report.provenance.name.clone(),
        summary => plain(markdown::summary(report)),
        figures => Serde(figures),
        tables => Serde(tables),
        provenance => Serde(markdown::provenance(report).into_iter().map(|(k, v)| (plain(k), v)).collect::<Vec<_>>()),
        not_shown => Serde(markdown::not_shown()),
    });
    page.map_err(draw)
}

/// A table without Markdown's code marks.
fn without_marks(mut table: Table) -> Table {
    table.note = table.note.replace('`', "");
    for cell in table.rows.iter_mut().flatten() {
        *cell = cell.replace('`', "");
    }
    table
}
