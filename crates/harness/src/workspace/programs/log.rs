//! Running a command with its output in a log.

use super::process::{Limits, ProcessError, run, tail};
use crate::workspace::error::Error;
use crate::workspace::places::files::write_atomic;
use crate::workspace::places::folders::Workspace;
use crate::workspace::progress::Progress;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The output of a logged command.
#[derive(Debug)]
pub struct Log {
    /// Its standard output.
    pub stdout: String,
    /// Path of the log, which includes its standard error.
    pub path: PathBuf,
}

/// Runs a command and writes its output to its own log.
///
/// # Errors
/// If it fails, with the path and the end of the log.
pub fn logged(workspace: &Workspace, what: &str, command: &mut Command) -> Result<Log, Error> {
    let _spinner = Progress::spinner(what);
    let log = workspace.logs().join(format!("{}.log", what.replace([' ', '/'], "-")));
    let limits = Limits { time: Duration::from_secs(3600), output: 64 << 20 };
    let shown = format!("{command:?}");
    let output = match run(command, b"", limits) {
        Ok(output) => output,
        Err(ProcessError::Interrupted) => return Err(Error::Interrupted),
        Err(source) => return Err(Error::Process { what: what.to_string(), source }),
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    write_atomic(&log, format!("$ {shown}\n{stdout}{}", output.stderr).as_bytes())?;
    if output.status.success() {
        return Ok(Log { stdout, path: log });
    }
    let said = if output.stderr.trim().is_empty() { &stdout } else { &output.stderr };
    Err(Error::Build { what: what.to_string(), log, tail: tail(said, 20) })
}
