//! The report as one self-contained HTML page: charts and style are inline.

use super::markdown::{self, Section};
use crate::report::charts;
use crate::report::summary::report::Report;
use crate::report::tables::{self, Table};
use crate::workspace::error::Error;
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
    let without_marks = |tables: Vec<Table>| tables.into_iter().map(without_marks).collect::<Vec<Table>>();
    let sections = markdown::provenance(report).into_iter();
    let sections: Vec<Section> = sections
        .map(|(title, rows)| (title, rows.into_iter().map(|(name, value)| (plain(name), value)).collect()))
        .collect();
    let page = environment.get_template("page").map_err(draw)?.render(context! {
        name => markdown::title(report),
        summary => plain(markdown::summary(report)),
        figures => Serde(figures),
        first => Serde(without_marks(tables::first(report))),
        tables => Serde(without_marks(tables::all(report))),
        provenance => Serde(sections),
        not_shown => Serde(markdown::not_shown(report)),
        made_from => markdown::made_from(report, ""),
    });
    page.map_err(draw)
}

/// A table without Markdown's backticks.
fn without_marks(mut table: Table) -> Table {
    table.note = table.note.replace('`', "");
    for cell in table.rows.iter_mut().flatten() {
        *cell = cell.replace('`', "");
    }
    table
}
