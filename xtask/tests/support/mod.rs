//! `cargo xtask` in its own target folder, with a cargo that never exits.
#![allow(dead_code, clippy::unwrap_used)]

use bitstate_harness::workspace::environment::command;
use rustix::process::{Pid, Signal};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time limit for everything that should not have to wait.
pub const SOON: Duration = Duration::from_secs(60);

pub struct Place {
    folder: tempfile::TempDir,
    /// An argument of all processes started by that cargo, by which they are found.
    mark: String,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nanoseconds = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        let mark = format!("300.{}{nanoseconds:09}", std::process::id());
        let place = Place { folder, mark };
        // Besides itself: a child, one in another session, and one under a program that changes its arguments.
        let script = format!(
            "#!/bin/sh\n[ -e '{ready}' ] && exit 0\n\
             sleep {mark} &\nsetsid sleep {mark} &\n\
             command -v valgrind >/dev/null && valgrind -q --tool=none sleep {mark} >/dev/null 2>&1 &\n\
             touch '{started}'\nexec sleep {mark}\n",
            ready = place.path("ready").display(),
            started = place.path("started").display(),
            mark = place.mark
        );
        std::fs::write(place.path("cargo"), script).unwrap();
        std::fs::set_permissions(place.path("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn scratch(&self) -> PathBuf {
        self.path("target/bitstate")
    }

    /// Makes that cargo exit at once from now on.
    pub fn make_cargo_quick(&self) {
        std::fs::write(self.path("ready"), "").unwrap();
    }

    pub fn xtask(&self, arguments: &[&str]) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).env("CARGO", self.path("cargo")).env("CARGO_TARGET_DIR", self.path("target"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a command in its own process group, and waits until its cargo runs.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut child = self.xtask(arguments).process_group(0).spawn().unwrap();
        let since = Instant::now();
        while !self.path("started").exists() || self.left().len() < 3 {
            assert!(child.try_wait().unwrap().is_none(), "{arguments:?} ended");
            assert!(since.elapsed() < SOON, "{arguments:?} runs no cargo");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::remove_file(self.path("started")).unwrap();
        child
    }

    /// Command lines of processes that the cargo started and that still run.
    pub fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&self.mark)).collect()
    }

    /// Waits until none of them is left, and returns the elapsed time.
    pub fn until_nothing_is_left(&self) -> Duration {
        let since = Instant::now();
        while !self.left().is_empty() {
            assert!(since.elapsed() < SOON, "left: {:?}", self.left());
            std::thread::sleep(Duration::from_millis(5));
        }
        since.elapsed()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // After a failed test.
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if String::from_utf8_lossy(&line).contains(&self.mark) {
                let _ = rustix::process::kill_process(Pid::from_raw(pid.unwrap()).unwrap(), Signal::KILL);
            }
        }
    }
}

pub fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// The child process of a command that has this argument.
pub fn child(of: &Child, argument: &str) -> Pid {
    let parent = of.id().to_string();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_child = stat.rsplit_once(')').is_some_and(|(_, rest)| rest.split_whitespace().nth(1) == Some(&parent));
        if is_child && String::from_utf8_lossy(&line).split('\0').any(|part| part == argument) {
            return Pid::from_raw(entry.file_name().to_str().unwrap().parse().unwrap()).unwrap();
        }
    }
    panic!("process {parent} has no child with the argument {argument}")
}

/// Waits for a command to exit: its status, and the elapsed time.
pub fn ended(child: &mut Child) -> (ExitStatus, Duration) {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status, since.elapsed());
        }
        assert!(since.elapsed() < SOON, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The standard error of a command that has exited.
pub fn said(mut child: Child) -> String {
    std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
}
