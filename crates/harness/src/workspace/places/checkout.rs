//! Other commits of the workspace, each in its own folder with its own builds.

use crate::workspace::error::{Error, nearest};
use crate::workspace::output;
use crate::workspace::places::files::{make_folder, write_atomic};
use crate::workspace::places::folders::Workspace;
use crate::workspace::places::git::{self, ask, ask_whether};
use crate::workspace::programs::process::Output;
use std::path::Path;

/// A version of the workspace, ready to be built.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The name in the request, followed by the commit if that is different.
    pub label: String,
    /// Its commit; none for the working tree.
    pub commit: Option<String>,
    /// Its folders.
    pub workspace: Workspace,
}

/// The name of the working tree, including local changes.
pub const WORKING_TREE: &str = ".";

/// Checks a commit out below the scratch folder, or uses the working tree for `.`. An existing folder is reused: a
/// commit never changes, so its builds stay valid.
///
/// A checkout is a repository of its own that borrows objects from the user's without writing to it: no worktree is
/// registered or pruned there, and its index, branches and settings do not change.
///
/// # Errors
/// If the commit does not exist, or git cannot check it out.
pub fn check_out(workspace: &Workspace, reference: &str) -> Result<Checkout, Error> {
    if reference == WORKING_TREE {
        return Ok(Checkout { label: "working tree".into(), commit: None, workspace: workspace.clone() });
    }
    let commit = resolve(&workspace.root, reference)?;
    let folder = workspace.scratch().join("ab").join(&commit);
    let checkout = Workspace { root: folder.join("checkout"), target: folder.join("target") };
    explain_old_worktree(&folder.join("source"));
    if !holds(&checkout, &commit) {
        make(&workspace.root, &folder, &checkout, &commit)?;
    }
    let short: String = commit.chars().take(10).collect();
    let label = if commit.starts_with(reference) { short } else { format!("{reference} ({short})") };
    Ok(Checkout { label, commit: Some(commit), workspace: checkout })
}

/// Resolves a name to a commit.
fn resolve(root: &Path, reference: &str) -> Result<String, Error> {
    let wanted = format!("{reference}^{{commit}}");
    if let Some(commit) = ask_whether(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])? {
        return Ok(commit);
    }
    let known = ask(root, &["for-each-ref", "--format=%(refname:short)"])?;
    let nearest = nearest(reference, String::from_utf8_lossy(&known.stdout).lines());
    let unknown = Error::Unknown { kind: "commit, branch or tag", name: reference.into(), nearest };
    if ask_whether(root, &["rev-parse", "--is-shallow-repository"])?.as_deref() != Some("true") {
        return Err(unknown);
    }
    Err(Error::Refused(format!(
        "{unknown}; the repository is a shallow clone, which has the newest commits alone: `git fetch --unshallow` gets \
         the whole history, `git fetch --deepen=N` N more commits"
    )))
}

/// Whether a folder contains exactly this commit, unmodified.
fn holds(checkout: &Workspace, commit: &str) -> bool {
    // In a folder without its own repository, git would use the enclosing one.
    let own = checkout.root.join(".git").is_dir();
    own && git::state(checkout).is_ok_and(|state| state.commit == commit && state.changes.is_none())
}

/// Creates a checkout, first in a temporary folder, so that an interrupted one is never mistaken for a complete one.
fn make(from: &Path, folder: &Path, checkout: &Workspace, commit: &str) -> Result<(), Error> {
    make_folder(folder)?;
    let text = |output: Output| String::from_utf8_lossy(&output.stdout).trim().to_string();
    let format = text(ask(from, &["rev-parse", "--show-object-format"])?);
    let objects = text(ask(from, &["rev-parse", "--path-format=absolute", "--git-path", "objects"])?);
    let part = tempfile::tempdir_in(folder).map_err(Error::io("make a folder in", folder))?;
    let root = part.path();
    ask(root, &["init", "--quiet", "--template=", &format!("--object-format={format}")])?;
    write_atomic(&root.join(".git/objects/info/alternates"), format!("{objects}\n").as_bytes())?;
    // A shallow clone ends at this commit; a checkout needs no history.
    write_atomic(&root.join(".git/shallow"), format!("{commit}\n").as_bytes())?;
    ask(root, &["update-ref", "--no-deref", "HEAD", commit])?;
    ask(root, &["read-tree", "--reset", "-u", commit])?;
    if checkout.root.exists() {
        std::fs::remove_dir_all(&checkout.root).map_err(Error::io("remove", &checkout.root))?;
    }
    std::fs::rename(root, &checkout.root).map_err(Error::io("rename", root))?;
    if holds(checkout, commit) {
        return Ok(());
    }
    let root = checkout.root.display();
    Err(Error::Refused(format!("git did not check {commit} out whole into {root}: remove that folder and try again")))
}

/// Prints how to remove a worktree that earlier versions registered in the user's repository. Only the user may do
/// that.
fn explain_old_worktree(worktree: &Path) {
    if worktree.join(".git").is_file() {
        let worktree = worktree.display();
        output::err(format_args!(
            "{worktree} is a worktree that an earlier version made and nothing uses now: to remove it and its entry \
             in your repository, `git worktree remove --force {worktree}`\n"
        ));
    }
}
