//! Folders of inputs, and the names that libFuzzer gives to those that failed.

use crate::workspace::error::Error;
use crate::workspace::make_folder;
use std::path::{Path, PathBuf};

/// What libFuzzer calls the kind of a finding: `crash-…`, `timeout-…`, `oom-…`, `slow-unit-…`. Nothing for other names.
pub(super) fn kind_of(artifact: &Path) -> String {
    let name = artifact.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-').map_or("", |(kind, _)| kind).to_string()
}

/// The input that a program failed for, if it left one. One that was only slow is none.
pub(super) fn new_artifact(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = |path: &PathBuf| ["crash", "timeout", "oom", "leak"].contains(&kind_of(path).as_str());
    Ok(files(folder)?.into_iter().find(failed))
}

/// The files of a folder in the order of their names; none where there is no folder.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", folder))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(Error::io("list", folder)));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

/// Makes a folder that holds nothing.
pub(super) fn empty(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("empty", folder)(error)),
        _ => make_folder(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::{kind_of, new_artifact};
    use std::path::Path;

    #[test]
    fn an_input_that_failed_is_told_from_one_that_was_slow() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| std::fs::write(folder.path().join(name), b"x").unwrap();
        assert_eq!(new_artifact(folder.path()).unwrap(), None);
        file("slow-unit-0a");
        file(".tmp1234");
        assert_eq!(new_artifact(folder.path()).unwrap(), None);
        file("timeout-0b");
        assert_eq!(new_artifact(folder.path()).unwrap(), Some(folder.path().join("timeout-0b")));
        assert_eq!(kind_of(Path::new("a/oom-0c")), "oom");
        assert_eq!(kind_of(Path::new("minimized-from-0c")), "minimized-from");
    }
}
