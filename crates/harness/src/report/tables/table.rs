//! A table of text.

use serde::Serialize;

/// A table.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// What is needed to read it.
    pub note: String,
    /// Titles of the columns.
    pub columns: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<String>>,
    /// Whether it is long: collapsed in HTML, and only counted in Markdown.
    pub folded: bool,
}

impl Table {
    pub(in crate::report) fn new(title: &str, note: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        let columns = columns.iter().map(|column| column.to_string()).collect();
        Table { title: title.into(), note: note.into(), columns, rows, folded: false }
    }
}
