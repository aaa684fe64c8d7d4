//! Removes leftovers of killed runs: temporary folders and files.
//!
//! The caller holds the [lock](super::lock), so no other run works in the same target folder. In the checkout itself a
//! run with another target folder may be writing, so there only files of runs that have ended are removed.
//!
//! A file that cannot be removed stays for the next run; that is not an error.

use super::files::{PREFIX, SUFFIX};
use super::folders::{FOLDER, Workspace};
use crate::workspace::programs::process::owner::Identity;
use std::fs;
use std::path::{Path, PathBuf};

/// Removes the leftovers of all earlier runs.
pub fn all(workspace: &Workspace) {
    let scratch = workspace.scratch();
    let own = Identity::own().to_string();
    for folder in scratches(&scratch) {
        for entry in entries(&folder.join(FOLDER)).filter(|entry| !entry.ends_with(&own)) {
            remove(&entry);
        }
    }
    // Temporary folders of earlier versions.
    for old in ["counts", "images"] {
        remove(&scratch.join(old));
    }
    // And their unfinished models.
    entries(&workspace.models())
        .filter(|file| file.extension().is_some_and(|end| end == "tmp"))
        .for_each(|file| remove(&file));
    // Only folders that runs write into; builds and other checkouts are not, and are large.
    for entry in entries(&scratch).filter(|entry| !["ab", "build"].iter().any(|large| entry.ends_with(large))) {
        unfinished(&entry);
    }
    entries(&workspace.root).filter(|entry| entry.is_file()).for_each(|file| unfinished(&file));
    unfinished(&workspace.root.join("ci"));
    unfinished(&workspace.reports());
}

/// Removes the temporary folders of one run.
pub fn of_run(scratch: &Path, run: Identity) {
    for folder in scratches(scratch) {
        remove(&folder.join(FOLDER).join(run.to_string()));
    }
}

/// A scratch folder, and those of the other commits built below it.
fn scratches(scratch: &Path) -> impl Iterator<Item = PathBuf> {
    let others = entries(&scratch.join("ab")).map(|commit| commit.join("target/bitstate"));
    std::iter::once(scratch.to_path_buf()).chain(others)
}

/// Removes unfinished files at and below a path whose writer has ended. Links are not followed.
fn unfinished(path: &Path) {
    if path.is_symlink() {
        return;
    }
    if path.is_dir() {
        entries(path).for_each(|entry| unfinished(&entry));
        return;
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // The names of temporary files in earlier versions.
    let old = name.len() == ".tmpAbCdEf.tmp".len() && name.starts_with(".tmp") && name.ends_with(".tmp");
    if old || writer(name).is_some_and(|writer| !writer.is_alive()) {
        remove(path);
    }
}

/// The run that was writing a file, if its name is that of a temporary one.
fn writer(name: &str) -> Option<Identity> {
    let (writer, _) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.rsplit_once('-')?;
    Identity::parse(writer)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn remove(path: &Path) {
    let _ = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

#[cfg(test)]
mod tests {
    use super::{all, of_run};
    use crate::workspace::places::files::write_atomic;
    use crate::workspace::places::folders::Workspace;
    use crate::workspace::programs::process::owner::Identity;
    use std::path::Path;

    #[test]
    fn what_killed_runs_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let workspace = Workspace { root: root.into(), target: root.join("target") };
        let (own, gone) = (Identity::own(), Identity::parse("1-1").unwrap());
        let unfinished = |run: Identity| format!(".bitstate-{run}-aBcDeF.tmp");
        let left = [
            format!("target/bitstate/tmp/{gone}/.tmpAbCdEf/image.elf"),
            "target/bitstate/tmp/garbage".into(),
            format!("target/bitstate/ab/c0ffee/target/bitstate/tmp/{gone}/.tmpAbCdEf/counts"),
            "target/bitstate/counts/.tmpAbCdEf/counts".into(),
            "target/bitstate/images/.tmpAbCdEf/image.elf".into(),
            format!("target/bitstate/models/{}", unfinished(gone)),
            "target/bitstate/models/default.tmp".into(),
            format!("target/bitstate/ci/shards/native/{}", unfinished(gone)),
            format!("reports/2026-01-31-a/charts/{}", unfinished(gone)),
            format!("ci/baselines/{}", unfinished(gone)),
            unfinished(gone),
            "reports/2026-01-31-a/charts/.tmpAbCdEf.tmp".into(),
        ];
        let kept = [
            format!("target/bitstate/tmp/{own}/.tmpAbCdEf/image.elf"),
            format!("reports/2026-01-31-a/{}", unfinished(own)),
            format!("target/bitstate/build/native/{}", unfinished(gone)),
            "reports/2026-01-31-a/records.jsonl".into(),
            "reports/2026-01-31-a/.bitstate-notes.tmp".into(),
            "target/bitstate/unfinished/bench.jsonl".into(),
            "elsewhere/tmp/x".into(),
            "elsewhere/".to_string() + &unfinished(gone),
            "README.md".into(),
        ];
        left.iter().chain(&kept).for_each(|name| write_atomic(&root.join(name), b"x").unwrap());
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("reports/link")).unwrap();
        all(&workspace);
        let there = |name: &String| root.join(name).exists();
        assert_eq!(left.iter().filter(|name| there(name)).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(kept.iter().filter(|name| !there(name)).collect::<Vec<_>>(), Vec::<&String>::new());

        of_run(&workspace.scratch(), own);
        assert!(!there(&kept[0]));
        of_run(Path::new("/nowhere"), own);
    }
}
