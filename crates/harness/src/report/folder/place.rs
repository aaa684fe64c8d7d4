//! The folder of a run's report. Every run has its own: no results replace those of another run.

use super::files::write;
use crate::records::provenance::Provenance;
use crate::records::{Row, read_parts, records_of};
use crate::report::history::published::Published;
use crate::workspace::error::Error;
use crate::workspace::make_folder;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The preferred name of a run's folder: its date and its name.
pub fn name(provenance: &Provenance) -> String {
    format!("{}-{}", provenance.started.get(..10).unwrap_or("undated"), provenance.name)
}

/// Refuses a run whose folder has another run's report, before anything is measured.
///
/// # Errors
/// A message with the folder and the fix.
pub fn require_free(folder: &Path, provenance: &Provenance) -> Result<(), Error> {
    if folder.symlink_metadata().is_err() || is_of(folder, provenance) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{} exists already, and a run does not replace the results of another: choose another name, or remove that \
         folder first",
        folder.display()
    )))
}

/// Writes a run's report into a folder below `parent` that no other run has, appending `-2`, `-3` and so on to a name
/// that is taken. Returns the folder.
///
/// # Errors
/// As [`write()`], and if the folder cannot be created.
pub fn write_into_free(
    parent: &Path,
    provenance: &Provenance,
    rows: &[Row],
    published: &Published,
) -> Result<PathBuf, Error> {
    let folder = claim(parent, provenance)?;
    write(&folder, provenance, rows, published).inspect_err(|_| {
        // Removes only an empty folder: what was written before is this run's.
        let _ = std::fs::remove_dir(&folder);
    })?;
    Ok(folder)
}

/// Creates the folder, so that a run that ends at the same time takes another.
fn claim(parent: &Path, provenance: &Provenance) -> Result<PathBuf, Error> {
    make_folder(parent)?;
    let name = name(provenance);
    let others = (2..).map(|number: u64| format!("{name}-{number}"));
    for name in std::iter::once(name.clone()).chain(others) {
        let folder = parent.join(name);
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if is_of(&folder, provenance) {
                    return Ok(folder);
                }
            }
            made => return made.map(|()| folder.clone()).map_err(Error::io("make the folder", &folder)),
        }
    }
    Err(Error::Refused(format!("all names after {name} are taken in {}", parent.display())))
}

/// Whether a folder has the report of this run, which was interrupted while writing it and then resumed.
fn is_of(folder: &Path, provenance: &Provenance) -> bool {
    if provenance.resumed.is_empty() {
        return false;
    }
    let of_run = |run: &Provenance| (run.started.clone(), run.name.clone(), run.command.clone());
    let parts = read_parts(&records_of(folder)).unwrap_or_default();
    parts.first().is_some_and(|part| of_run(&part.provenance) == of_run(provenance))
}

#[cfg(test)]
mod tests {
    use super::{require_free, write_into_free};
    use crate::records::provenance::Provenance;
    use crate::records::read;
    use crate::report::history::Published;
    use std::path::Path;

    fn run(second: u32) -> Provenance {
        let started = format!("2026-01-31T10:00:{second:02}Z");
        Provenance { name: "local".into(), started, command: "cargo xtask bench".into(), ..Provenance::default() }
    }

    fn written(parent: &Path, run: &Provenance) -> String {
        let folder = write_into_free(parent, run, &[], &Published::default()).unwrap();
        assert_eq!(read(&folder.join("records.jsonl")).unwrap().0, *run);
        folder.strip_prefix(parent).unwrap().display().to_string()
    }

    #[test]
    fn a_second_run_of_a_day_has_a_folder_of_its_own_and_a_resumed_one_its_own_again() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path().join("reports");
        let names = [1, 2, 3].map(|second| written(&parent, &run(second)));
        assert_eq!(names, ["2026-01-31-local", "2026-01-31-local-2", "2026-01-31-local-3"]);
        let first = read(&parent.join("2026-01-31-local/records.jsonl")).unwrap().0;
        assert_eq!(first, run(1), "the first is as it was");
        let resumed = Provenance { resumed: vec!["2026-01-31T11:00:00Z".into()], ..run(2) };
        assert_eq!(written(&parent, &resumed), "2026-01-31-local-2");
        // A user's file of that name.
        std::fs::write(parent.join("2026-01-31-local-4"), "a file").unwrap();
        assert_eq!(written(&parent, &run(5)), "2026-01-31-local-5");
    }

    #[test]
    fn a_name_that_is_taken_is_refused_before_anything_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("2026-01-31-local");
        require_free(&place, &run(1)).unwrap();
        written(folder.path(), &run(1));
        let error = require_free(&place, &run(2)).unwrap_err();
        assert_eq!(error.exit().code(), 2);
        let said = error.to_string();
        assert!(said.contains("2026-01-31-local exists already") && said.contains("choose another name"), "{said}");
        require_free(&place, &Provenance { resumed: vec!["later".into()], ..run(1) }).unwrap();
    }
}
