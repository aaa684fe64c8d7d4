//! The runs that are stored in `reports/`.

use crate::records::{Part, records_of};
use crate::workspace::{Workspace, git};
use std::path::PathBuf;

/// The folders of the published runs, by name, without copies that an editor or a user made.
pub fn folders(workspace: &Workspace) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(workspace.reports()).into_iter().flatten().flatten();
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !git::is_leftover(&name) && records_of(path).is_file()
    };
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(ours).collect();
    folders.sort();
    folders
}

/// When the last part of a run started.
pub(in crate::report) fn started(parts: &[Part]) -> &str {
    parts.iter().map(|part| part.provenance.started.as_str()).max().unwrap_or("")
}
