//! The contents of a run's folder: its rows, and what is generated from them.

use super::leftover::{self, Files, Holds};
use crate::records::provenance::Provenance;
use crate::records::{self, RECORDS, Row, merge, records_of};
use crate::report::charts;
use crate::report::history::published::Published;
use crate::report::pages::{html, markdown};
use crate::report::summary::report::Report;
use crate::workspace::error::Error;
use crate::workspace::{process, read_text, write_atomic};
use std::path::Path;

/// Writes a run's folder: rows, JSON, Markdown, HTML and charts.
///
/// # Errors
/// If a file cannot be written or a chart cannot be drawn.
pub fn write(folder: &Path, provenance: &Provenance, rows: &[Row], published: &Published) -> Result<(), Error> {
    let mut all = vec![Row::Run(Box::new(provenance.clone()))];
    all.extend_from_slice(rows);
    records::write(&folder.join(RECORDS), &all)?;
    render(folder, published, Holds::Everything)
}

/// Regenerates everything else in a run's folder from its rows, and removes files that it no longer holds.
///
/// # Errors
/// If the rows cannot be read, or a file cannot be written or removed.
pub fn render(folder: &Path, published: &Published, holds: Holds) -> Result<(), Error> {
    let files = files(folder, published, holds)?;
    for (name, bytes) in &files {
        write_atomic(&folder.join(name), bytes)?;
    }
    if holds != Holds::Everything {
        records::pack(folder)?;
    }
    leftover::remove(folder, &files, holds)
}

/// The files generated from a run's rows and from the runs published before it, as names and bytes.
fn files(folder: &Path, published: &Published, holds: Holds) -> Result<Files, Error> {
    let path = records_of(folder);
    let parts = records::read_parts(&path)?;
    merge::check_parts(&path, &parts)?;
    let mut report = Report::of_parts(&parts);
    report.history = published.until(&parts);
    if holds == Holds::Records {
        let name = format!("reports/{}", folder.file_name().unwrap_or_default().to_string_lossy());
        return Ok(vec![("report.md".to_string(), markdown::page_without_charts(&report, &name).into_bytes())]);
    }
    let mut files = vec![
        ("report.md".to_string(), markdown::page(&report).into_bytes()),
        ("report.html".to_string(), html::page(&report)?.into_bytes()),
    ];
    for chart in charts::all(&report) {
        if process::interrupted() {
            return Err(Error::Interrupted);
        }
        files.push((format!("charts/{}.svg", chart.name), charts::svg(&chart, charts::PAGE)?.into_bytes()));
        if holds == Holds::Everything {
            files.push((format!("charts/{}.png", chart.name), charts::png(&chart, charts::PAGE)?));
        }
    }
    if holds == Holds::Everything {
        let malformed = |error: serde_json::Error| Error::Malformed { path, message: error.to_string() };
        let json = serde_json::to_string_pretty(&report).map_err(malformed)? + "\n";
        files.insert(0, ("report.json".to_string(), json.into_bytes()));
    }
    Ok(files)
}

/// What is not current in a run's folder, as messages that begin with the file's name: files that differ from what its
/// rows give now, and files that the folder does not hold.
///
/// # Errors
/// If the rows or the folder cannot be read, or a chart cannot be drawn.
pub fn outdated(folder: &Path, published: &Published, holds: Holds) -> Result<Vec<String>, Error> {
    let same = |name: &str, bytes: &[u8]| std::fs::read(folder.join(name)).is_ok_and(|found| found == bytes);
    let files = files(folder, published, holds)?;
    let left_over = leftover::names(folder, &files, holds)?;
    let changed = files.into_iter().filter(|(name, bytes)| !same(name, bytes)).map(|(name, _)| name);
    Ok(changed.chain(left_over.into_iter().map(|(name, why)| format!("{name}, {why}"))).collect())
}

/// Reads a run's report.
///
/// # Errors
/// If it is missing or malformed.
pub fn read(folder: &Path) -> Result<Report, Error> {
    let path = folder.join("report.json");
    let text = read_text(&path)?;
    serde_json::from_str(&text).map_err(|error| Error::Malformed { path, message: error.to_string() })
}
