//! The committed baselines: loaded together, and changed by an acceptance.

use super::file::{Accepted, Baseline, Change};
use crate::records::counter::Counter;
use crate::records::provenance::Provenance;
use crate::targets::{Cell, targets};
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::git::is_leftover;
use crate::workspace::time::now;
use crate::workspace::tools::said;
use crate::workspace::{Workspace, read_text, write_atomic};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Path of a target's baseline.
pub fn path(workspace: &Workspace, target: &str) -> PathBuf {
    workspace.root.join("ci/baselines").join(format!("{target}.json"))
}

/// Every committed baseline, by target: the files `<target>.json`. Files that an editor or a user left beside them,
/// such as `native.json~` or `native.bak`, are ignored.
///
/// # Errors
/// If a file cannot be read, or its name ends with `.json` and is not a target's.
pub fn load(workspace: &Workspace) -> Result<BTreeMap<String, Baseline>, Error> {
    load_folder(&workspace.root.join("ci/baselines"))
}

fn load_folder(folder: &Path) -> Result<BTreeMap<String, Baseline>, Error> {
    let mut all = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(all) };
    for entry in entries {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(target) = name.strip_suffix(".json").filter(|_| !is_leftover(&name)).map(str::to_string) else {
            continue;
        };
        let malformed = |message: String| Error::Malformed { path: path.clone(), message };
        if !targets().iter().any(|known| known.name == target) {
            return Err(malformed("no target has this name".into()));
        }
        let baseline = Baseline::parse(&target, &read_text(&path)?).map_err(malformed)?;
        all.insert(target, baseline);
    }
    Ok(all)
}

/// Writes counters into the baselines with who, when and why; returns the changes, by target.
///
/// `replaced` selects the rows that the counters replace: a selected row that is no longer counted is removed.
///
/// # Errors
/// If the reason is empty, or a file cannot be read or written.
pub fn accept(
    workspace: &Workspace,
    counters: &[Counter],
    replaced: impl Fn(&Counter) -> bool,
    reason: &str,
    provenance: &Provenance,
) -> Result<BTreeMap<String, Vec<Change>>, Error> {
    if !reason.chars().any(char::is_alphanumeric) {
        return Err(Error::Refused("--reason is empty: a later reader needs to know why this change is right".into()));
    }
    let mut baselines = load(workspace)?;
    let mut changed = BTreeMap::new();
    for target in targets().iter().map(|target| target.name) {
        let new: Vec<Counter> = counters.iter().filter(|counter| counter.target == target).cloned().collect();
        if new.is_empty() {
            continue;
        }
        let baseline = baselines.entry(target.to_string()).or_insert_with(Baseline::empty);
        let before = baseline.rows.clone();
        let lacking = |row: &Counter| {
            let cell = Cell::named(&row.target, &row.variant);
            cell.is_some_and(|cell| !cell.missing_cpu(&provenance.cpu_features).is_empty())
        };
        let changes = baseline.accept(&new, &replaced, lacking);
        if baseline.rows == before {
            continue;
        }
        let (when, commit) = (now(), provenance.short_commit());
        baseline.history.push(Accepted {
            who: who(workspace),
            when,
            commit,
            reason: reason.into(),
            changes: changes.clone(),
        });
        let path = path(workspace, target);
        let text =
            baseline.to_text().map_err(|error| Error::Malformed { path: path.clone(), message: error.to_string() })?;
        write_atomic(&path, text.as_bytes())?;
        changed.insert(target.to_string(), changes);
    }
    Ok(changed)
}

fn who(workspace: &Workspace) -> String {
    let ask = |key: &str| said(command("git").current_dir(&workspace.root).args(["config", key]));
    let name = ask("user.name").map(|name| name.trim().to_string()).filter(|name| !name.is_empty());
    let email = ask("user.email").map(|email| format!(" <{}>", email.trim())).unwrap_or_default();
    name.map_or("someone that git does not know".into(), |name| name + &email)
}
