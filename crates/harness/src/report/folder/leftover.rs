//! Charts of an earlier report in the same folder, which the present rows no longer give: a reader would take them for
//! this run's.

use crate::workspace::error::Error;
use std::io::ErrorKind;
use std::path::Path;

/// Names within a run's folder, and what is in the files.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// Where a report's charts lie in its folder.
const CHARTS: &str = "charts";

/// The charts in a report's folder that are not among its files, by name. What is no file, or no picture of a kind that
/// a report draws, was put there by somebody else.
///
/// # Errors
/// If the folder of charts is there and cannot be read.
pub(super) fn charts(folder: &Path, files: &Files) -> Result<Vec<String>, Error> {
    let charts = folder.join(CHARTS);
    let entries = match std::fs::read_dir(&charts) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", &charts)(error)),
    };
    let mut left_over = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read", &charts))?;
        let picture = Path::new(&entry.file_name()).extension().is_some_and(|kind| kind == "svg" || kind == "png");
        let file = entry.file_type().map_err(Error::io("read", &entry.path()))?.is_file();
        // A name that is no text is none of ours.
        let Some(name) = entry.file_name().to_str().map(|name| format!("{CHARTS}/{name}")) else { continue };
        if picture && file && !files.iter().any(|(made, _)| *made == name) {
            left_over.push(name);
        }
    }
    left_over.sort();
    Ok(left_over)
}

/// Removes them.
///
/// # Errors
/// If the folder cannot be read or a file not be removed.
pub(super) fn remove(folder: &Path, files: &Files) -> Result<(), Error> {
    for name in charts(folder, files)? {
        let path = folder.join(name);
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{charts, remove};

    #[test]
    fn a_chart_that_is_not_made_any_more_goes_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let files = vec![("report.md".to_string(), Vec::new()), ("charts/memory.svg".to_string(), Vec::new())];
        assert_eq!(charts(folder, &files).unwrap(), Vec::<String>::new());
        let others = ["charts/notes.txt", "charts/own.svg/map.svg", "charts/photo.jpg", "own.png", "charts/memory.svg"];
        for name in others.into_iter().chain(["charts/roof.svg", "charts/roof.png", "charts/memory.png"]) {
            std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.join(name), "").unwrap();
        }
        let left_over = ["charts/memory.png", "charts/roof.png", "charts/roof.svg"];
        assert_eq!(charts(folder, &files).unwrap(), left_over);
        remove(folder, &files).unwrap();
        assert!(others.iter().all(|name| folder.join(name).is_file()));
        assert!(left_over.iter().all(|name| !folder.join(name).exists()));
    }
}
