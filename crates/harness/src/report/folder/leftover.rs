//! Files that an earlier run or state left in a run's folder: charts that its rows do not give, which would be taken
//! for this run's, and files that a published run does not keep.

use crate::records::RECORDS;
use crate::workspace::error::Error;
use std::io::ErrorKind;
use std::path::Path;

/// How much of a run its folder holds. Everything is generated from the records, so the rest can be regenerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Records, and everything generated from them: a run that is not published.
    Everything,
    /// Compressed records, and pages with their charts as SVG.
    Pages,
    /// Compressed records, and the Markdown page without charts.
    Records,
}

/// Names within a run's folder, with the contents.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// The folder of a report's charts.
const CHARTS: &str = "charts";

/// The superfluous files in a run's folder, by name, with the reason: those of kinds that reports write and that are
/// not among `files`. Anything else was put there by somebody else.
///
/// # Errors
/// If the folder of charts exists and cannot be read.
pub(super) fn names(folder: &Path, files: &Files, holds: Holds) -> Result<Vec<(String, &'static str)>, Error> {
    let why = |name: &str| match holds {
        Holds::Everything => "which the records do not produce",
        Holds::Pages if name.ends_with(".svg") => "which the records do not produce",
        Holds::Pages => "which is not kept of a published run",
        Holds::Records => "which is not kept of a published run once there is a newer one",
    };
    let mut names = charts(folder)?;
    if holds != Holds::Everything {
        names.extend([RECORDS, "report.html", "report.json"].map(str::to_string));
    }
    names.retain(|name| folder.join(name).is_file() && !files.iter().any(|(made, _)| made == name));
    let reason = |name: String| {
        let why = why(&name);
        (name, why)
    };
    Ok(names.into_iter().map(reason).collect())
}

/// The charts in a report's folder, by name.
fn charts(folder: &Path) -> Result<Vec<String>, Error> {
    let charts = folder.join(CHARTS);
    let entries = match std::fs::read_dir(&charts) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", &charts)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read", &charts))?;
        let picture = Path::new(&entry.file_name()).extension().is_some_and(|kind| kind == "svg" || kind == "png");
        let file = entry.file_type().map_err(Error::io("read", &entry.path()))?.is_file();
        // Reports write only UTF-8 names.
        let Some(name) = entry.file_name().to_str().map(|name| format!("{CHARTS}/{name}")) else { continue };
        if picture && file {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Removes them, and the folder of charts if it is empty then.
///
/// # Errors
/// If the folder cannot be read or a file cannot be removed.
pub(super) fn remove(folder: &Path, files: &Files, holds: Holds) -> Result<(), Error> {
    for (name, _) in names(folder, files, holds)? {
        let path = folder.join(name);
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    if holds == Holds::Records {
        // A folder with other files stays.
        let _ = std::fs::remove_dir(folder.join(CHARTS));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Holds, names, remove};

    #[test]
    fn a_chart_that_is_not_made_any_more_goes_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let files = vec![("report.md".to_string(), Vec::new()), ("charts/memory.svg".to_string(), Vec::new())];
        assert!(names(folder, &files, Holds::Everything).unwrap().is_empty());
        let others = ["charts/notes.txt", "charts/own.svg/map.svg", "charts/photo.jpg", "own.png", "charts/memory.svg"];
        for name in others.into_iter().chain(["charts/roof.svg", "charts/roof.png", "charts/memory.png"]) {
            std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.join(name), "").unwrap();
        }
        let left_over = ["charts/memory.png", "charts/roof.png", "charts/roof.svg"];
        let found = names(folder, &files, Holds::Everything).unwrap();
        assert_eq!(found, left_over.map(|name| (name.to_string(), "which the records do not produce")));
        remove(folder, &files, Holds::Everything).unwrap();
        assert!(others.iter().all(|name| folder.join(name).is_file()));
        assert!(left_over.iter().all(|name| !folder.join(name).exists()));
    }
}
