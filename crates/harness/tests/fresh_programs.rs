//! Programs that were just written and are started by many threads at once.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_harness::workspace::environment::command;
use bitstate_harness::workspace::process::{Limits, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// While a thread writes a script, a child that another thread is starting has the script open for writing until it
/// executes its own program: until then the script cannot be run ("Text file busy").
#[test]
fn a_program_that_another_threads_child_still_has_open_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let work = &|thread: usize| {
        for i in 0..300 {
            let path = folder.path().join(format!("{thread}-{i}"));
            fs::write(&path, "#!/bin/sh\necho well\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            let limits = Limits { time: Duration::from_secs(60), output: 100 };
            let output = run(&mut command(&path), b"", limits).unwrap();
            assert_eq!(output.stdout, b"well\n");
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|thread| drop(scope.spawn(move || work(thread)))));
}
