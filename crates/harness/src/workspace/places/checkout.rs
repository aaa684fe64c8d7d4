//! Other commits of the workspace, each in a folder of its own with builds of its own.

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
/// A checkout is a repository of its own that borrows the objects of the user's, in which nothing is written: no
/// worktree is registered there and none is pruned, and its index, branches and settings stay as they are.
///
/// # Errors
/// If there is no such commit, or git cannot check it out.
pub fn check_out(workspace: &Workspace, reference: &str) -> Result<Checkout, Error> {
    if reference == WORKING_TREE {
        return Ok(Checkout { label: "working tree".into(), commit: None, workspace: workspace.clone() });
    }
    let commit = resolve(&workspace.root, reference)?;
    let folder = workspace.scratch().join("ab").join(&commit);
    let checkout = Workspace { root: folder.join("checkout"), target: folder.join("target") };
    tell_of_earlier(&folder.join("source"));
    if !holds(&checkout, &commit) {
        make(&workspace.root, &folder, &checkout, &commit)?;
    }
    let short: String = commit.chars().take(10).collect();
    let label = if commit.starts_with(reference) { short } else { format!("{reference} ({short})") };
    Ok(Checkout { label, commit: Some(commit), workspace: checkout })
}

/// The commit that a person means.
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

/// Whether a folder holds this very commit, unchanged.
fn holds(checkout: &Workspace, commit: &str) -> bool {
    // For a folder without a repository of its own the one around it would answer.
    let own = checkout.root.join(".git").is_dir();
    own && git::state(checkout).is_ok_and(|state| state.commit == commit && state.changes.is_none())
}

/// Makes a checkout, in a temporary folder first, so that an interrupted one is never mistaken for a complete one.
fn make(from: &Path, folder: &Path, checkout: &Workspace, commit: &str) -> Result<(), Error> {
    make_folder(folder)?;
    let text = |output: Output| String::from_utf8_lossy(&output.stdout).trim().to_string();
    let format = text(ask(from, &["rev-parse", "--show-object-format"])?);
    let objects = text(ask(from, &["rev-parse", "--path-format=absolute", "--git-path", "objects"])?);
    let part = tempfile::tempdir_in(folder).map_err(Error::io("make a folder in", folder))?;
    let root = part.path();
    ask(root, &["init", "--quiet", "--template=", &format!("--object-format={format}")])?;
    write_atomic(&root.join(".git/objects/info/alternates"), format!("{objects}\n").as_bytes())?;
    // A shallow clone has no commits before it, and a checkout needs none.
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

/// Says how to remove the worktree that earlier versions registered in the user's repository. Only the user does that.
fn tell_of_earlier(worktree: &Path) {
    if worktree.join(".git").is_file() {
        let worktree = worktree.display();
        output::err(format_args!(
            "{worktree} is a worktree that an earlier version made and nothing uses now: to remove it and its entry \
             in your repository, `git worktree remove --force {worktree}`\n"
        ));
    }
}
