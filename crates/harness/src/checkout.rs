//! Other commits of the workspace, each in a folder of its own with builds of its own.

use crate::environment::command;
use crate::error::{Error, nearest};
use crate::process::{Limits, run, tail};
use crate::workspace::{Workspace, make_folder};
use bitstate_protocol::Digest;
use std::path::Path;
use std::time::Duration;

/// A version of the workspace, ready to be built.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// What it was asked for by, with its commit where that is another text.
    pub label: String,
    /// Its commit; none for the working tree as it is.
    pub commit: Option<String>,
    /// Its folders.
    pub workspace: Workspace,
}

/// The name of the working tree as it is, changes included.
pub const WORKING_TREE: &str = ".";

/// Checks a commit out under the scratch folder, or takes the working tree for `.`. A folder that is there already is
/// used again: a commit never changes, so its builds stay good.
///
/// # Errors
/// If there is no such commit, or git cannot check it out.
pub fn check_out(workspace: &Workspace, reference: &str) -> Result<Checkout, Error> {
    if reference == WORKING_TREE {
        return Ok(Checkout { label: "working tree".into(), commit: None, workspace: workspace.clone() });
    }
    let root = &workspace.root;
    let wanted = format!("{reference}^{{commit}}");
    let Ok(commit) = git(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]) else {
        let known = git(root, &["for-each-ref", "--format=%(refname:short)"])?;
        let nearest = nearest(reference, known.lines());
        return Err(Error::Unknown { kind: "commit, branch or tag", name: reference.into(), nearest });
    };
    let commit = commit.trim().to_string();
    let short: String = commit.chars().take(10).collect();
    let folder = workspace.scratch().join("ab").join(&commit);
    let source = folder.join("source");
    if !is_checked_out(&source, &commit) {
        make_folder(&folder)?;
        if source.exists() {
            std::fs::remove_dir_all(&source).map_err(Error::io("remove", &source))?;
        }
        // What git remembers of a folder that is gone would be in the way.
        git(root, &["worktree", "prune"])?;
        git(root, &["worktree", "add", "--detach", "--force", &source.to_string_lossy(), &commit])?;
    }
    let label = if commit.starts_with(reference) { short } else { format!("{reference} ({short})") };
    Ok(Checkout { label, commit: Some(commit), workspace: Workspace { root: source, target: folder.join("target") } })
}

/// Whether the folder holds this very commit, unchanged.
fn is_checked_out(source: &Path, commit: &str) -> bool {
    let head = git(source, &["rev-parse", "HEAD"]).unwrap_or_default();
    let changes = git(source, &["status", "--porcelain"]);
    // A folder without a checkout of its own answers for the one around it.
    let own = source.join(".git").exists();
    own && head.trim() == commit && changes.is_ok_and(|changes| changes.trim().is_empty())
}

/// A digest of all that the working tree has beside its commit: changes, and files that git does not know and does not
/// ignore. Not of `reports/`, which a run writes into. None where git cannot say, or has more to say than is read.
pub fn changes(workspace: &Workspace) -> Option<Digest> {
    let root = &workspace.root;
    let of = ["--", ".", ":(exclude)reports"];
    let mut all = git(root, &[&["diff", "--binary", "--no-ext-diff", "HEAD"], &of[..]].concat()).ok()?.into_bytes();
    let new = git(root, &[&["ls-files", "--others", "--exclude-standard", "-z"], &of[..]].concat()).ok()?;
    for name in new.split('\0').filter(|name| !name.is_empty()) {
        all.extend(name.as_bytes());
        all.extend(std::fs::read(root.join(name)).ok()?);
    }
    Some(Digest::of(&all))
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    let what = format!("git {}", arguments.first().unwrap_or(&""));
    let limits = Limits { time: Duration::from_secs(300), output: 16 << 20 };
    let mut command = command("git");
    command.arg("-C").arg(folder).args(arguments);
    let output = run(&mut command, b"", limits).map_err(|source| Error::Process { what: what.clone(), source })?;
    if !output.status.success() {
        return Err(Error::Refused(format!("`{what}` failed in {}: {}", folder.display(), tail(&output.stderr, 3))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{WORKING_TREE, changes, check_out, git};
    use crate::workspace::Workspace;

    /// A repository with two commits, and its first one's name.
    fn repository() -> (tempfile::TempDir, Workspace, String) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        git(&root, &["init", "--quiet", "--initial-branch=trunk"]).unwrap();
        let commit = |text: &str| {
            std::fs::write(root.join("file"), text).unwrap();
            git(&root, &["add", "file"]).unwrap();
            git(&root, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", text]).unwrap();
        };
        commit("first");
        let first = git(&root, &["rev-parse", "HEAD"]).unwrap().trim().to_string();
        commit("second");
        let workspace = Workspace { target: folder.path().join("target"), root };
        (folder, workspace, first)
    }

    #[test]
    fn two_commits_lie_in_two_folders_and_are_used_again() {
        let (_folder, workspace, first) = repository();
        let old = check_out(&workspace, &first).unwrap();
        let new = check_out(&workspace, "trunk").unwrap();
        let text = |folder: &Workspace| std::fs::read_to_string(folder.root.join("file")).unwrap();
        assert_eq!([text(&old.workspace), text(&new.workspace)], ["first", "second"]);
        assert_ne!(old.workspace.target, new.workspace.target);
        assert_eq!(old.label, first[..10]);
        assert!(new.label.starts_with("trunk ("), "{}", new.label);
        std::fs::create_dir(&old.workspace.target).unwrap();
        std::fs::write(old.workspace.root.join("file"), "edited").unwrap();
        let again = check_out(&workspace, &first).unwrap();
        assert_eq!(text(&again.workspace), "first", "an edit does not stay");
        assert!(again.workspace.target.is_dir(), "builds do");
        std::fs::remove_dir_all(&workspace.target).unwrap();
        assert_eq!(text(&check_out(&workspace, &first).unwrap().workspace), "first", "after a cleaning");
    }

    #[test]
    fn the_working_tree_is_taken_as_it_is_and_a_misspelt_branch_names_the_nearest() {
        let (_folder, workspace, _) = repository();
        assert_eq!(check_out(&workspace, WORKING_TREE).unwrap().workspace.root, workspace.root);
        let error = check_out(&workspace, "trnk").unwrap_err().to_string();
        assert!(error.contains("no commit, branch or tag `trnk`; did you mean `trunk`?"), "{error}");
        assert!(check_out(&workspace, "--help").is_err());
    }

    #[test]
    fn every_change_of_the_working_tree_changes_its_digest() {
        let (_folder, workspace, _) = repository();
        let after = |name: &str, text: &str| {
            std::fs::write(workspace.root.join(name), text).unwrap();
            changes(&workspace)
        };
        let digests = [changes(&workspace), after("file", "edited"), after("new", "a"), after("new", "b")];
        assert!(digests.iter().all(Option::is_some), "{digests:?}");
        assert!((1..digests.len()).all(|i| !digests[..i].contains(&digests[i])), "{digests:?}");
        assert_eq!(changes(&workspace), digests[3], "the same tree has the same digest");
        let nowhere = tempfile::tempdir().unwrap();
        assert_eq!(changes(&Workspace { root: nowhere.path().into(), target: nowhere.path().into() }), None);
    }
}
