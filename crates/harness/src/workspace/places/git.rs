//! Queries to git about a workspace. They write nothing to its repository: not the index, which `git status` would
//! refresh, nor the list of worktrees, nor any other file.
//!
//! The folder alone determines the repository. The variables by which a commit hook chooses another one do not reach
//! git (see [`crate::workspace::programs::environment`]), and changes are found with a temporary index, so that neither
//! a commit in progress nor a file marked as unchanged can hide one.

use crate::workspace::error::Error;
use crate::workspace::places::files::make_folder;
use crate::workspace::places::folders::Workspace;
use crate::workspace::programs::environment::command;
use crate::workspace::programs::process::{Limits, Output, ProcessError, run, tail};
use crate::workspace::time::in_utc;
use bitstate_protocol::{Digest, Digester};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use time::OffsetDateTime;

/// Overrides for settings that would write something, run something, or change the bytes of a file.
const SETTINGS: [&str; 9] = [
    // A daemon that leaves files in the repository.
    "core.fsmonitor=false",
    // A split index leaves a shared part in the repository.
    "core.splitIndex=false",
    "core.ignoreStat=false",
    "core.sparseCheckout=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Most file names that a list of changes shows.
const MOST_SHOWN: usize = 5;

/// The state of a workspace: a commit, and the changes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The commit.
    pub commit: String,
    /// When it was committed, UTC, ISO 8601.
    pub committed: String,
    /// Files that differ from the commit, by path from the root, sorted.
    pub changed: Vec<String>,
    /// Digest of these files; none if there are none.
    pub changes: Option<Digest>,
}

impl State {
    /// The changed files as text, the first few by name.
    pub fn changed_in_words(&self) -> String {
        let more = self.changed.len().saturating_sub(MOST_SHOWN);
        let shown = self.changed.iter().take(MOST_SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    }
}

/// The commit of a workspace and its local changes.
///
/// A tracked file counts unless it is a report, which a run writes. An untracked file counts if a build, a run or a
/// verdict can read it; an editor's swap file or a note in the root does not.
///
/// # Errors
/// If git is not installed, the folder is not in a repository, git refuses to read it, or a changed file cannot be
/// read.
pub fn state(workspace: &Workspace) -> Result<State, Error> {
    let root = &workspace.root;
    let head = ask(root, &["rev-list", "--max-count=1", "--timestamp", "HEAD"])?;
    let head = String::from_utf8_lossy(&head.stdout).trim().to_string();
    let (time, commit) = head.split_once(' ').unwrap_or_default();
    let time = time.parse().ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let committed = time.map(in_utc).unwrap_or_default();

    let scratch = workspace.scratch();
    make_folder(&scratch)?;
    let folder = tempfile::tempdir_in(&scratch).map_err(Error::io("make a folder in", &scratch))?;
    let index = Index { root, path: &folder.path().join("index") };
    index.ask(&["read-tree", commit])?;
    index.refresh()?;
    // Build results are in the target folder, which may be anywhere.
    let target = workspace.target.strip_prefix(root).ok().filter(|target| !target.as_os_str().is_empty());
    let target = target.map(|target| format!(":(exclude,literal){}", target.display()));
    let of: Vec<&str> = ["--", ".", ":(exclude)reports"].into_iter().chain(target.as_deref()).collect();
    let tracked = ["diff-index", "--name-only", "--no-renames", "--relative", "-z", commit];
    let tracked = index.ask(&[&tracked, &of[..]].concat())?;
    // Only the project's own ignore rules: files ignored by a user's global rules may still be part of a build.
    let unknown = ["ls-files", "--others", "--exclude-per-directory=.gitignore", "-z"];
    let unknown = index.ask(&[&unknown, &of[..]].concat())?;
    let unknown: Vec<&[u8]> = names(&unknown.stdout).collect();
    let crates = folders_with_manifest(&unknown);
    let unknown = unknown.into_iter().filter(|name| can_be_read(&String::from_utf8_lossy(name), &crates));
    let mut changed: Vec<&[u8]> = names(&tracked.stdout).chain(unknown).collect();
    changed.sort_unstable();
    let changes = if changed.is_empty() { None } else { Some(digest(root, &changed)?) };
    let changed = changed.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    Ok(State { commit: commit.into(), committed, changed, changes })
}

/// A temporary index for a repository.
struct Index<'a> {
    root: &'a Path,
    path: &'a Path,
}

impl Index<'_> {
    fn ask(&self, arguments: &[&str]) -> Result<Output, Error> {
        succeeded(self.root, arguments, self.run(arguments)?)
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, Error> {
        start(git(self.root).env("GIT_INDEX_FILE", self.path).args(arguments), arguments)
    }

    /// Compares the contents of every file, so that a file with only a new modification time does not count as changed.
    fn refresh(&self) -> Result<(), Error> {
        let arguments = ["update-index", "-q", "--refresh"];
        let output = self.run(&arguments)?;
        // It exits with 1 and no message if a file is changed, which the next command lists.
        if output.stderr.trim().is_empty() { Ok(()) } else { succeeded(self.root, &arguments, output).map(|_| ()) }
    }
}

/// A git command about the repository of a folder.
fn git(folder: &Path) -> Command {
    let mut command = command("git");
    command.arg("-C").arg(folder);
    command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1");
    // A damaged repository must not be mistaken for the enclosing one.
    if let Some(above) = folder.parent().filter(|_| folder.join(".git").symlink_metadata().is_ok()) {
        command.env("GIT_CEILING_DIRECTORIES", above);
    }
    command
}

/// The output of a git command in a folder.
///
/// # Errors
/// If git is not installed or fails; the message includes the usual fix, if there is one.
pub fn ask(folder: &Path, arguments: &[&str]) -> Result<Output, Error> {
    succeeded(folder, arguments, start(git(folder).args(arguments), arguments)?)
}

/// The output of a git query that may fail: it then exits with 1 and without a message.
///
/// # Errors
/// As [`ask`].
pub fn ask_whether(folder: &Path, arguments: &[&str]) -> Result<Option<String>, Error> {
    let output = start(git(folder).args(arguments), arguments)?;
    if output.status.code() == Some(1) && output.stderr.trim().is_empty() {
        return Ok(None);
    }
    let output = succeeded(folder, arguments, output)?;
    Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_string()))
}

fn start(command: &mut Command, arguments: &[&str]) -> Result<Output, Error> {
    let limits = Limits { time: Duration::from_secs(300), output: 16 << 20 };
    run(command, b"", limits).map_err(|source| match source {
        ProcessError::Interrupted => Error::Interrupted,
        ProcessError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            let text = "git is not installed, which knows the commit that is built and measured: install it (Debian: \
                        apt-get install git)";
            Error::Refused(text.into())
        }
        source => Error::Process { what: format!("git {}", arguments.first().unwrap_or(&"")), source },
    })
}

fn succeeded(folder: &Path, arguments: &[&str], output: Output) -> Result<Output, Error> {
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Refused(sentence(folder, arguments, &output.stderr)))
}

/// Git's error message, with the fix.
fn sentence(folder: &Path, arguments: &[&str], said: &str) -> String {
    let folder = folder.display();
    if said.contains("dubious ownership") {
        return format!(
            "git does not read the repository of {folder}, because it belongs to another user: \
             `git config --global --add safe.directory '{folder}'` allows it"
        );
    }
    if said.contains("not a git repository") {
        return format!(
            "{folder} is in no git repository, so its commit is not known: work in a clone, not in an unpacked archive; \
             a linked worktree needs the repository that it was made from"
        );
    }
    if said.contains("unknown revision") || said.contains("bad revision") {
        return format!("the git repository of {folder} has no commit yet: make one");
    }
    if ["missing blob", "unable to read", "Could not read", "missing tree"].iter().any(|words| said.contains(words)) {
        return format!(
            "the git repository of {folder} lacks a part of the commit ({}): in a partial clone `git fetch --refetch \
             --no-filter` gets all of it; elsewhere `git fsck` says what is broken",
            tail(said, 1)
        );
    }
    let what = arguments.first().unwrap_or(&"");
    format!("`git {what}` failed in {folder}: {}", tail(said, 3))
}

/// Parses a list of names that git wrote with `-z`.
fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0).filter(|name| !name.is_empty())
}

/// Whether a build, a run or a verdict can read an untracked file, given its path from the root. Files that committed
/// sources refer to are committed too, so these are files found by their location: by cargo, or by the harness in `ci`
/// and `golden`. `crates` are further folders with a manifest.
fn can_be_read(name: &str, crates: &[&str]) -> bool {
    const FOLDERS: [&str; 4] = ["crates", "xtask", "ci", "golden"];
    const FILES: [&str; 4] = ["Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml"];
    let Some((top, below)) = name.split_once('/') else { return FILES.contains(&name) };
    if top == ".cargo" {
        return !below.split('/').any(is_leftover);
    }
    (FOLDERS.contains(&top) || crates.contains(&top)) && !name.split('/').any(is_leftover)
}

/// Top-level folders with a manifest below: a modified workspace manifest may include them.
fn folders_with_manifest<'a>(names: &[&'a [u8]]) -> Vec<&'a str> {
    let names = names.iter().filter_map(|name| std::str::from_utf8(name).ok());
    names.filter(|name| name.ends_with("/Cargo.toml")).filter_map(|name| Some(name.split_once('/')?.0)).collect()
}

/// Whether a file's name is that of an editor's, a merge's or a user's copy: hidden, a backup, a swap file. Neither
/// cargo nor the harness reads these.
pub fn is_leftover(name: &str) -> bool {
    const ENDINGS: [&str; 8] = ["bak", "old", "orig", "rej", "swp", "swo", "tmp", "save"];
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    name.starts_with(['.', '#']) || name.ends_with('~') || ENDINGS.contains(&ending)
}

/// A digest of files: their names, types and contents.
fn digest(root: &Path, names: &[&[u8]]) -> Result<Digest, Error> {
    let mut digester = Digester::default();
    for name in names {
        let path = root.join(std::ffi::OsStr::from_bytes(name));
        let mut piece = Digester::default();
        let kind = contents(&path, &mut piece)?;
        // Of fixed length, so that two lists of files never give the same bytes.
        for part in [Digest::of(name), Digest::of(kind.as_bytes()), piece.finish()] {
            digester.push(part.to_string().as_bytes());
        }
    }
    Ok(digester.finish())
}

/// Adds the contents of a path to a digest, and returns its type.
fn contents(path: &Path, digester: &mut Digester) -> Result<&'static str, Error> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok("nothing"),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    if metadata.is_symlink() {
        let to = std::fs::read_link(path).map_err(Error::io("read the link", path))?;
        digester.push(to.as_os_str().as_bytes());
        return Ok("link");
    }
    if !metadata.is_file() {
        return Ok("folder");
    }
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            read => digester.push(&buffer[..read]),
        }
    }
    Ok(if metadata.permissions().mode() & 0o100 == 0 { "file" } else { "program" })
}

#[cfg(test)]
mod tests {
    use super::{can_be_read, git, is_leftover, sentence};
    use crate::workspace::programs::environment;

    #[test]
    fn what_a_build_can_read_counts_and_what_lies_beside_it_does_not() {
        let reads = |name: &str| can_be_read(name, &["vendored"]);
        for name in [
            "Cargo.toml",
            "Cargo.lock",
            "rust-toolchain.toml",
            ".cargo/config.toml",
            "crates/engine/build.rs",
            "crates/cli/src/bin/more.rs",
            "crates/model/tests/new.rs",
            "xtask/src/new.rs",
            "golden/streams/new.json",
            "ci/baselines/wasm-v1.json",
            "vendored/src/lib.rs",
        ] {
            assert!(reads(name), "{name}");
        }
        for name in [
            "notes.txt",
            "perf.data",
            ".envrc",
            ".idea/workspace.xml",
            "notes/of/a/person.rs",
            "ci/baselines/.native.json.swp",
            "ci/baselines/native.json~",
            "ci/baselines/native.bak",
            "crates/engine/src/.lib.rs.swo",
            "crates/engine/src/#lib.rs#",
            "crates/engine/src/.#lib.rs",
            "crates/engine/src/lib.rs.orig",
            "crates/.cache/a.rs",
            ".cargo/config.toml~",
        ] {
            assert!(!reads(name), "{name}");
        }
        assert!(!is_leftover("native.json") && !is_leftover("v1.0"));
    }

    #[test]
    fn a_complaint_of_git_is_a_sentence_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let said = |variable: &str| {
            let output = git(root).env(variable, "1").args(["rev-list", "--max-count=1", "HEAD"]).output().unwrap();
            assert!(!output.status.success());
            sentence(root, &["rev-list"], &String::from_utf8_lossy(&output.stderr))
        };
        let outside = said("UNUSED");
        assert!(outside.contains("is in no git repository") && outside.contains("work in a clone"), "{outside}");
        environment::command("git").args(["init", "--quiet"]).arg(root).output().unwrap();
        let empty = said("UNUSED");
        assert!(empty.contains("has no commit yet"), "{empty}");
        let foreign = said("GIT_TEST_ASSUME_DIFFERENT_OWNER");
        let fix = format!("`git config --global --add safe.directory '{}'`", root.display());
        assert!(foreign.contains("belongs to another user") && foreign.contains(&fix), "{foreign}");
    }
}
