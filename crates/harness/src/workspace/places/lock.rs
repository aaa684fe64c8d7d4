//! One run at a time in a target folder: a command that builds, measures or writes holds a lock.
//!
//! Two runs would otherwise share model files, verdicts, shards, logs and builds. The lock is on an open file, so the
//! kernel releases it however the run ends. The file identifies the holder. A run started by the holder, such as a step
//! of `ci`, works under the holder's lock.

use super::files::make_folder;
use super::folders::Workspace;
use super::sweep;
use crate::workspace::error::Error;
use crate::workspace::output;
use crate::workspace::programs::process::owner::Identity;
use crate::workspace::programs::process::{self, guard};
use crate::workspace::time::now;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Pause between two attempts.
const TURN: Duration = Duration::from_millis(50);
/// How long a holder may be unknown before it is reported: a new holder is about to write its entry, and the guard of a
/// killed one is about to exit.
const UNKNOWN: Duration = Duration::from_secs(2);

/// The lock, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    /// `None` if the run that started this one holds it.
    file: Option<File>,
}

/// The holder of a lock, as its file identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    process: String,
    command: String,
    since: String,
}

impl Lock {
    /// Takes the lock of a target folder for `command`, and removes leftovers of killed runs there. If another run
    /// holds it, reports that on standard error and waits, or refuses without `wait`.
    ///
    /// # Errors
    /// If interrupted, if the file cannot be used, or if another run holds the lock and `wait` is false.
    pub fn take(workspace: &Workspace, command: &str, wait: bool) -> Result<Self, Error> {
        make_folder(&workspace.scratch())?;
        let path = workspace.scratch().join("lock");
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(Error::io("open", &path))?;
        let started = Instant::now();
        let mut told: Option<Holder> = None;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(Error::Io { action: "lock", path, source }),
                Err(TryLockError::WouldBlock) => {}
            }
            let holder = Holder::read(&mut file);
            let holder = holder.filter(|holder| holder.identity().is_some_and(Identity::is_alive));
            if holder.as_ref().and_then(Holder::identity).is_some_and(Identity::is_ancestor) {
                return Ok(Lock { file: None });
            }
            let unknown = holder.is_none() && started.elapsed() >= UNKNOWN && told.is_none();
            if holder.is_some() && holder != told || unknown {
                let holder = holder.unwrap_or_else(Holder::unknown);
                report(&holder, workspace, &path, wait)?;
                told = Some(holder);
            }
            if process::interrupted() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(TURN);
        }
        let holder = Holder { process: Identity::own().to_string(), command: command.to_string(), since: now() };
        holder.write(&mut file).map_err(Error::io("write", &path))?;
        guard::start(Some(&file)).map_err(Error::io("start the guard beside", &path))?;
        sweep::all(workspace);
        Ok(Lock { file: Some(file) })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // The next holder writes its own entry.
            let _ = file.set_len(0);
            // Closing the file is not enough: a process that is being started may have a copy of it.
            let _ = file.unlock();
        }
    }
}

/// Reports the holder of the lock, as an error without `wait`.
fn report(holder: &Holder, workspace: &Workspace, path: &Path, wait: bool) -> Result<(), Error> {
    let Holder { command, since, .. } = holder;
    let pid = holder.identity().map_or("unknown".into(), |identity| identity.pid.to_string());
    let folder = workspace.show(&workspace.target);
    let text =
        format!("another run uses {folder}: process {pid}, `{command}`, since {since} ({})", workspace.show(path));
    if !wait {
        return Err(Error::Refused(format!("{text}; without --no-wait this command waits for it")));
    }
    output::err(format_args!("{text}; waiting for it to end (Ctrl-C stops waiting, --no-wait refuses instead)\n"));
    Ok(())
}

impl Holder {
    fn unknown() -> Self {
        Holder { process: String::new(), command: "unknown".into(), since: "unknown".into() }
    }

    fn identity(&self) -> Option<Identity> {
        Identity::parse(&self.process)
    }

    /// `None` while the entry is being written, or if the file holds something else.
    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.rewind().ok()?;
        file.take(1 << 16).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn write(&self, file: &mut File) -> std::io::Result<()> {
        let text = serde_json::to_string(self)? + "\n";
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{Holder, Lock};
    use crate::workspace::places::folders::Workspace;
    use crate::workspace::programs::process::owner::Identity;
    use std::fs::OpenOptions;
    use std::time::{Duration, Instant};

    fn workspace(folder: &tempfile::TempDir) -> Workspace {
        Workspace { root: folder.path().into(), target: folder.path().join("target") }
    }

    /// Holds the lock by hand, with this in the file.
    fn held(workspace: &Workspace, text: &str) -> std::fs::File {
        std::fs::create_dir_all(workspace.scratch()).unwrap();
        std::fs::write(workspace.scratch().join("lock"), text).unwrap();
        let file = OpenOptions::new().write(true).open(workspace.scratch().join("lock")).unwrap();
        file.lock().unwrap();
        file
    }

    fn holder(process: String) -> String {
        let holder = Holder { process, command: "cargo xtask bench".into(), since: "2026-01-31T10:00:00Z".into() };
        serde_json::to_string(&holder).unwrap()
    }

    #[test]
    fn a_second_run_is_refused_by_name_and_comes_in_when_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(&folder);
        let first = Lock::take(&workspace, "cargo xtask bench --quick", true).unwrap();
        let error = Lock::take(&workspace, "cargo xtask gate", false).unwrap_err();
        let said = error.to_string();
        assert_eq!(error.exit().code(), 2);
        let pid = std::process::id();
        assert!(
            said.starts_with(&format!("another run uses target: process {pid}, `cargo xtask bench --quick`, since 2"))
                && said.contains("Z (target/bitstate/lock)"),
            "{said}"
        );
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Lock::take(&workspace, "cargo xtask gate", true));
            std::thread::sleep(Duration::from_millis(200));
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
        Lock::take(&workspace, "cargo xtask gate", false).unwrap();
    }

    #[test]
    fn a_run_inside_the_run_that_holds_the_lock_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(&folder);
        let parent = std::os::unix::process::parent_id();
        let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).unwrap();
        let started: u64 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
        let identity = Identity::parse(&format!("{parent}-{started}")).unwrap();
        let _file = held(&workspace, &holder(identity.to_string()));
        let inner = Lock::take(&workspace, "cargo xtask gate", false).unwrap();
        assert!(inner.file.is_none());
    }

    #[test]
    fn what_is_left_of_a_killed_run_is_waited_for_and_a_file_of_garbage_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(&folder);
        let gone = Identity::parse("1-1").unwrap().to_string();
        for text in [holder(gone), "{\"process\":".into(), "\0\u{ff}".repeat(40_000)] {
            let file = held(&workspace, &text);
            let started = Instant::now();
            let said = Lock::take(&workspace, "cargo xtask gate", false).unwrap_err().to_string();
            assert!(said.contains("process unknown, `unknown`"), "{said}");
            assert!(started.elapsed() >= Duration::from_secs(2));
            drop(file);
            Lock::take(&workspace, "cargo xtask gate", false).unwrap();
        }
    }
}
