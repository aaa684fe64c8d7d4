//! Checking out other commits and finding the changes of a working tree write nothing to the user's repository: in
//! commit hooks, with worktrees on missing volumes, in shallow and partial clones.
#![allow(clippy::unwrap_used)]

use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::workspace::checkout::{WORKING_TREE, check_out};
use bitstate_harness::workspace::environment::command;
use bitstate_harness::workspace::git::state;
use bitstate_harness::workspace::{Workspace, write_atomic};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The folder of the process that a test starts, which runs the same test.
const FOLDER: &str = "BITSTATE_TEST_FOLDER";

/// A git command as a user types it, without this machine's user settings.
fn git_command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = command("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.arg("-C").arg(folder).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
    command
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = git_command(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

/// A repository with two commits, whose target folder is inside it and ignored, as the project's is.
struct Repository {
    folder: tempfile::TempDir,
    workspace: Workspace,
    first: String,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A name that must be quoted.
        let root = folder.path().join("it's ü");
        std::fs::create_dir(&root).unwrap();
        git(&root, &["init", "--quiet", "--initial-branch=trunk"]);
        let commit = |text: &str| {
            write_atomic(&root.join("file"), text.as_bytes()).unwrap();
            write_atomic(&root.join("crates/a/lib.rs"), text.as_bytes()).unwrap();
            write_atomic(&root.join(".gitignore"), b"/target/\n*.tmp\n").unwrap();
            git(&root, &["add", "--all"]);
            git(&root, &["commit", "--quiet", "-m", text]);
        };
        commit("first");
        let first = git(&root, &["rev-parse", "HEAD"]);
        commit("second");
        Repository { workspace: Workspace { target: root.join("target"), root }, first, folder }
    }

    fn root(&self) -> &Path {
        &self.workspace.root
    }

    fn head(&self) -> String {
        git(self.root(), &["rev-parse", "HEAD"])
    }
}

fn text(workspace: &Workspace) -> String {
    std::fs::read_to_string(workspace.root.join("file")).unwrap()
}

fn at(root: &Path) -> Workspace {
    Workspace { root: root.into(), target: root.join("target") }
}

/// Every file of a folder with its contents and modification time.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.insert(path.clone(), (Vec::new(), SystemTime::UNIX_EPOCH));
            all.extend(snapshot(&path));
        } else {
            let written = path.metadata().unwrap().modified().unwrap();
            all.insert(path.clone(), (std::fs::read(&path).unwrap(), written));
        }
    }
    all
}

/// This test as a child process with its folder.
fn again(test: &str, folder: &Path) -> Command {
    let mut child = command(std::env::current_exe().unwrap());
    child.args(["--exact", test]).env(FOLDER, folder);
    child
}

fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The git queries of `bench` and `ab`.
fn everything(workspace: &Workspace, reference: &str) {
    let before = state(workspace).unwrap();
    let checkout = check_out(workspace, reference).unwrap();
    assert_eq!(state(&checkout.workspace).unwrap().changes, None);
    assert_eq!(state(workspace).unwrap(), before);
}

#[test]
fn two_commits_lie_in_two_folders_and_are_used_again() {
    let Repository { folder: _folder, workspace, first } = &Repository::new();
    let old = check_out(workspace, first).unwrap();
    let new = check_out(workspace, "trunk").unwrap();
    assert_eq!([text(&old.workspace), text(&new.workspace)], ["first", "second"]);
    assert_ne!(old.workspace.target, new.workspace.target);
    assert_eq!(old.label, first[..10]);
    assert!(new.label.starts_with("trunk ("), "{}", new.label);
    let build = old.workspace.target.join("build");
    write_atomic(&build, b"kept").unwrap();
    std::fs::write(old.workspace.root.join("file"), "edited").unwrap();
    let again = check_out(workspace, first).unwrap();
    assert_eq!(text(&again.workspace), "first", "an edit does not stay");
    assert!(build.is_file(), "builds do");
    std::fs::remove_dir_all(&workspace.target).unwrap();
    assert_eq!(text(&check_out(workspace, first).unwrap().workspace), "first", "after a cleaning");
}

#[test]
fn a_checkout_says_its_own_commit_and_whether_it_was_edited() {
    let Repository { folder: _folder, workspace, first } = &Repository::new();
    let old = check_out(workspace, first).unwrap();
    let provenance = Provenance::collect(&old.workspace);
    assert_eq!((&provenance.commit, provenance.dirty, provenance.changes), (first, false, None));
    let when = provenance.committed.unwrap();
    assert!(when.len() == 20 && when.starts_with("20") && when.ends_with('Z'), "{when}");
    std::fs::write(old.workspace.root.join("file"), "edited").unwrap();
    let provenance = Provenance::collect(&old.workspace);
    assert_eq!((&provenance.commit, provenance.dirty), (first, true));
    assert!(provenance.changes.is_some());
}

#[test]
fn the_working_tree_is_taken_as_it_is_and_a_misspelt_branch_names_the_nearest() {
    let Repository { folder: _folder, workspace, .. } = &Repository::new();
    assert_eq!(check_out(workspace, WORKING_TREE).unwrap().workspace.root, workspace.root);
    let error = check_out(workspace, "trnk").unwrap_err().to_string();
    assert!(error.ends_with("no commit, branch or tag `trnk`; did you mean `trunk`?"), "{error}");
    assert!(check_out(workspace, "--help").is_err());
}

#[test]
fn every_change_that_a_build_can_read_changes_the_digest_and_nothing_else_does() {
    let repository = Repository::new();
    let (workspace, root) = (&repository.workspace, repository.root());
    let changes = || state(workspace).unwrap().changes;
    let after = |name: &str, text: &str| {
        write_atomic(&root.join(name), text.as_bytes()).unwrap();
        changes()
    };
    assert_eq!(changes(), None);
    for name in ["notes.txt", "crates/a/.lib.rs.swp", "crates/a/lib.rs~", ".idea/x", "reports/x/records.jsonl", "a.tmp"]
    {
        assert_eq!(after(name, "anything"), None, "{name}");
    }
    let mut digests =
        vec![None, after("file", "edited"), after("crates/a/build.rs", "a"), after("crates/a/build.rs", "b")];
    let changed = state(workspace).unwrap().changed_in_words();
    assert_eq!(changed, "`crates/a/build.rs`, `file`");
    digests.push(after("Cargo.lock", ""));
    git(root, &["add", "Cargo.lock"]);
    assert_eq!(changes(), digests[4], "whether it is staged is nothing that a build reads");
    std::fs::remove_file(root.join("crates/a/lib.rs")).unwrap();
    digests.push(changes());
    std::os::unix::fs::symlink("nowhere", root.join("crates/a/lib.rs")).unwrap();
    digests.push(changes());
    assert!((1..digests.len()).all(|i| !digests[..i].contains(&digests[i])), "{digests:?}");
    assert_eq!(changes(), digests[6], "the same tree has the same digest");
    // A file that git was asked to assume unchanged still counts.
    git(root, &["stash", "--quiet"]);
    std::fs::remove_file(root.join("crates/a/build.rs")).unwrap();
    assert_eq!(changes(), None);
    git(root, &["update-index", "--assume-unchanged", "file"]);
    assert_eq!(after("file", "edited"), digests[1]);
}

#[test]
fn a_changed_file_may_be_larger_than_what_git_may_say() {
    let repository = Repository::new();
    let file = std::fs::File::create(repository.root().join("file")).unwrap();
    file.set_len(100 << 20).unwrap();
    assert!(state(&repository.workspace).unwrap().changes.is_some());
}

#[test]
fn the_repository_is_left_as_it_was_to_the_byte() {
    let repository = Repository::new();
    let (workspace, root) = (&repository.workspace, repository.root());
    // A worktree on a missing volume, and one that an earlier version registered.
    let away = repository.folder.path().join("away");
    git(root, &["worktree", "add", "--quiet", "-b", "topic", &away.to_string_lossy()]);
    std::fs::rename(&away, repository.folder.path().join("unmounted")).unwrap();
    let earlier = workspace.scratch().join("ab").join(&repository.first).join("source");
    git(root, &["worktree", "add", "--quiet", "--detach", &earlier.to_string_lossy(), &repository.first]);
    // Settings with which git writes during queries.
    for setting in ["core.fsmonitor", "core.splitIndex", "core.untrackedCache", "index.sparse"] {
        git(root, &["config", setting, "true"]);
    }
    // A hook that would run, and a touched file, which `git status` would write to the index.
    write_atomic(&root.join(".git/hooks/post-checkout"), b"#!/bin/sh\ntouch \"$(git rev-parse --git-dir)/ran\"\n")
        .unwrap();
    write_atomic(&root.join("file"), b"second").unwrap();
    let before = snapshot(&root.join(".git"));
    everything(workspace, &repository.first);
    everything(workspace, "trunk");
    assert!(check_out(workspace, "nothing").is_err());
    let after = snapshot(&root.join(".git"));
    let differs = |(path, file): (&PathBuf, _)| (before.get(path) != Some(file)).then(|| path.clone());
    assert_eq!(after.iter().filter_map(differs).collect::<Vec<_>>(), Vec::<PathBuf>::new());
    assert_eq!(after.len(), before.len());
    let worktrees = git(root, &["worktree", "list", "--porcelain"]);
    assert!(worktrees.contains("/away") && worktrees.matches("\nHEAD ").count() == 3, "{worktrees}");
    assert!(text(&at(&earlier)) == "first", "what an earlier version made is the user's to remove");
}

#[test]
fn in_a_commit_hook_of_a_linked_worktree_the_commit_has_its_content_and_no_other() {
    let this = "in_a_commit_hook_of_a_linked_worktree_the_commit_has_its_content_and_no_other";
    if let Some(folder) = std::env::var_os(FOLDER) {
        assert!(std::env::var_os("GIT_INDEX_FILE").is_some(), "a hook has it");
        everything(&at(Path::new(&folder)), "trunk~1");
        return;
    }
    let repository = Repository::new();
    let linked = repository.folder.path().join("linked");
    git(repository.root(), &["worktree", "add", "--quiet", "-b", "topic", &linked.to_string_lossy()]);
    std::fs::write(linked.join("other"), "third").unwrap();
    git(&linked, &["add", "other"]);
    git(&linked, &["commit", "--quiet", "-m", "third"]);
    let third = git(&linked, &["rev-parse", "HEAD"]);
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let hook = format!(
        "#!/bin/sh\nset -e\n{FOLDER}={} {} --exact {this} >&2\necho ran >>{}\n",
        quoted(&linked),
        quoted(&std::env::current_exe().unwrap()),
        quoted(&repository.folder.path().join("ran"))
    );
    let path = repository.root().join(".git/hooks/pre-commit");
    write_atomic(&path, hook.as_bytes()).unwrap();
    succeed({
        let mut command = command("chmod");
        command.arg("755").arg(path);
        command
    });
    for (name, arguments) in
        [("file", vec!["commit", "--all", "-m", "fourth"]), ("other", vec!["commit", "-m", "x", "other"])]
    {
        let parent = git(&linked, &["rev-parse", "HEAD"]);
        std::fs::write(linked.join(name), "fourth").unwrap();
        succeed(git_command(&linked, &arguments));
        assert_eq!(git(&linked, &["rev-parse", "HEAD~1"]), parent);
        assert_eq!(git(&linked, &["diff", "--name-only", "HEAD~1", "HEAD"]), name);
        assert_eq!(git(&linked, &["show", &format!("HEAD:{name}")]), "fourth");
    }
    assert_eq!(git(&linked, &["rev-parse", "HEAD~2"]), third);
    assert_eq!(git(&linked, &["status", "--porcelain", "--", ":(exclude)target"]), "");
    assert_eq!(git(repository.root(), &["status", "--porcelain"]), "");
    assert_eq!(std::fs::read_to_string(repository.folder.path().join("ran")).unwrap(), "ran\nran\n");
}

#[test]
fn variables_that_name_another_index_or_repository_change_nothing() {
    let this = "variables_that_name_another_index_or_repository_change_nothing";
    if let Some(folder) = std::env::var_os(FOLDER) {
        everything(&at(Path::new(&folder)), "trunk~1");
        return;
    }
    let (repository, other) = (Repository::new(), Repository::new());
    let root = repository.root();
    let before = snapshot(&root.join(".git"));
    for (name, value) in [
        ("GIT_INDEX_FILE", root.join(".git/index")),
        ("GIT_DIR", other.root().join(".git")),
        ("GIT_WORK_TREE", other.root().into()),
        ("GIT_OBJECT_DIRECTORY", other.root().join(".git/objects")),
        ("GIT_COMMON_DIR", other.root().join(".git")),
    ] {
        let mut child = again(this, root);
        child.env(name, value);
        succeed(child);
        assert_eq!(git(root, &["--no-optional-locks", "status", "--porcelain"]), "", "{name}");
    }
    assert_eq!(snapshot(&root.join(".git")), before);
}

#[test]
fn a_shallow_clone_says_so_and_how_to_get_more() {
    let repository = Repository::new();
    let clone = repository.folder.path().join("shallow");
    let url = format!("file://{}", repository.root().display());
    git(repository.folder.path(), &["clone", "--quiet", "--depth=1", &url, "shallow"]);
    assert_eq!(text(&check_out(&at(&clone), "HEAD").unwrap().workspace), "second");
    for reference in ["HEAD~1", &repository.first] {
        let error = check_out(&at(&clone), reference).unwrap_err();
        assert_eq!(error.exit().code(), 2);
        let said = error.to_string();
        let words =
            [reference, "the repository is a shallow clone", "`git fetch --unshallow`", "`git fetch --deepen=N`"];
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
    git(&clone, &["fetch", "--quiet", "--unshallow"]);
    assert_eq!(text(&check_out(&at(&clone), "HEAD~1").unwrap().workspace), "first");
}

#[test]
fn a_partial_clone_says_what_it_lacks_and_how_to_get_it() {
    let repository = Repository::new();
    git(repository.root(), &["config", "uploadpack.allowFilter", "true"]);
    let clone = repository.folder.path().join("partial");
    let url = format!("file://{}", repository.root().display());
    git(repository.folder.path(), &["clone", "--quiet", "--filter=blob:none", &url, "partial"]);
    let said = check_out(&at(&clone), "HEAD~1").unwrap_err().to_string();
    assert!(
        said.contains("lacks a part of the commit") && said.contains("`git fetch --refetch --no-filter`"),
        "{said}"
    );
    git(&clone, &["fetch", "--quiet", "--refetch", "--no-filter"]);
    assert_eq!(text(&check_out(&at(&clone), "HEAD~1").unwrap().workspace), "first");
}

#[test]
fn without_git_or_a_repository_the_commit_is_unknown_and_why_is_said() {
    let this = "without_git_or_a_repository_the_commit_is_unknown_and_why_is_said";
    let unknown = |workspace: &Workspace, words: &str| {
        let provenance = Provenance::collect(workspace);
        assert_eq!((provenance.commit.as_str(), provenance.dirty, provenance.committed), ("unknown", true, None));
        for said in [state(workspace).unwrap_err(), check_out(workspace, "HEAD").unwrap_err()] {
            assert_eq!(said.exit().code(), 2);
            assert!(said.to_string().contains(words), "{said}");
        }
    };
    if let Some(folder) = std::env::var_os(FOLDER) {
        unknown(&at(Path::new(&folder)), "git is not installed, which knows the commit");
        return;
    }
    let repository = Repository::new();
    let nowhere = tempfile::tempdir().unwrap();
    unknown(&at(nowhere.path()), "is in no git repository, so its commit is not known");
    let mut without = again(this, repository.root());
    without.env("PATH", nowhere.path());
    succeed(without);
    // For a repository without HEAD, the enclosing one must not be used.
    std::fs::remove_file(repository.root().join(".git/HEAD")).unwrap();
    git(repository.folder.path(), &["init", "--quiet"]);
    git(repository.folder.path(), &["commit", "--quiet", "--allow-empty", "-m", "around"]);
    unknown(&repository.workspace, "is in no git repository");
}

#[test]
fn a_checkout_of_which_a_part_was_lost_is_made_again() {
    let repository = Repository::new();
    let head = repository.head();
    let check_out = || check_out(&repository.workspace, &head).unwrap().workspace;
    let whole = check_out();
    let files: Vec<PathBuf> = snapshot(&whole.root).into_keys().collect();
    assert!(files.len() > 8 && files.contains(&whole.root.join(".git/HEAD")), "{files:?}");
    for lost in files {
        if lost.is_dir() {
            std::fs::remove_dir_all(&lost).unwrap();
        } else if lost.exists() {
            std::fs::remove_file(&lost).unwrap();
        }
        let again = check_out();
        assert_eq!(state(&again).unwrap().commit, head, "without {}", lost.display());
        let files = ["file", "crates/a/lib.rs"].map(|name| std::fs::read_to_string(again.root.join(name)).unwrap());
        assert_eq!(files, ["second", "second"], "without {}", lost.display());
    }
}
