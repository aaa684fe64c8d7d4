//! The report as one self-contained HTML page: charts and style are inline.

use super::markdown::{self, Section};
use super::words;
use crate::report::charts::{self, Chart};
use crate::report::summary::report::Report;
use crate::report::tables::{self, Table};
use crate::workspace::error::Error;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

/// A chart as it stands in a page.
#[derive(Serialize)]
pub(super) struct Figure {
    title: String,
    subtitle: String,
    svg: String,
}

/// The whole page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(report: &Report) -> Result<String, Error> {
    let mut figures = figures(&charts::all(report))?;
    let others = figures.split_off(figures.len().min(1));
    let (first_figures, figures) = (figures, others);
    let draw = |error: minijinja::Error| Error::Draw { what: "report.html".into(), message: format!("{error:#}") };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", include_str!("page.html")).map_err(draw)?;
    let without_marks = |tables: Vec<Table>| tables.into_iter().map(without_marks).collect::<Vec<Table>>();
    let sections = markdown::provenance(report).into_iter();
    let sections: Vec<Section> = sections
        .map(|(title, rows)| (title, rows.into_iter().map(|(name, value)| (without_backticks(name), value)).collect()))
        .collect();
    let page = environment.get_template("page").map_err(draw)?.render(context! {
        name => markdown::title(report),
        words => Serde(words::first(report).into_iter().map(without_backticks).collect::<Vec<String>>()),
        first_figures => Serde(first_figures),
        figures => Serde(figures),
        first => Serde(without_marks(tables::first(report))),
        tables => Serde(without_marks(tables::all(report))),
        provenance => Serde(sections),
        not_shown => Serde(markdown::not_shown(report)),
        made_from => markdown::made_from(report, ""),
    });
    page.map_err(draw)
}

/// The charts as they stand in a page.
pub(super) fn figures(charts: &[Chart]) -> Result<Vec<Figure>, Error> {
    let figure = |chart: &Chart| {
        let svg = charts::svg(chart, charts::INLINE)?;
        Ok(Figure { title: chart.title.clone(), subtitle: chart.subtitle.clone(), svg })
    };
    charts.iter().map(figure).collect()
}

/// A text without Markdown's backticks.
pub(super) fn without_backticks(text: String) -> String {
    text.replace('`', "")
}

/// A table without Markdown's backticks.
fn without_marks(mut table: Table) -> Table {
    table.note = table.note.replace('`', "");
    for cell in table.rows.iter_mut().flatten() {
        *cell = cell.replace('`', "");
    }
    table
}
