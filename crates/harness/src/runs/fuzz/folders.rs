//! Folders of inputs, and libFuzzer's names of failing ones.

use crate::workspace::error::Error;
use crate::workspace::make_folder;
use std::path::{Path, PathBuf};

/// The kind of a finding from libFuzzer's file name: `crash-…`, `timeout-…`, `oom-…`, `slow-unit-…`. Empty for others.
pub(super) fn kind_of(artifact: &Path) -> String {
    let name = artifact.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-').map_or("", |(kind, _)| kind).to_string()
}

/// The input that made a program fail, if it left one. A slow input is not a failure.
pub(super) fn new_artifact(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = |path: &PathBuf| ["crash", "timeout", "oom", "leak"].contains(&kind_of(path).as_str());
    Ok(files(folder)?.into_iter().find(failed))
}

/// The files of a folder, sorted by name; none if the folder does not exist.
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

/// Creates an empty folder, deleting its previous contents.
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
    fn a_failing_input_is_distinguished_from_a_slow_one() {
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
