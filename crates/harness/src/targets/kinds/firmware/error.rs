//! The errors of firmware, and running a tool with its output logged.

use crate::workspace::process::{Limits, ProcessError, run};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How much of a failing tool's output an error repeats; the log has all of it.
const TAIL: usize = 4096;
/// Limits of a tool. Building takes minutes; disassembling an image prints megabytes.
const LIMITS: Limits = Limits { time: Duration::from_secs(3600), output: 256 << 20 };

/// Why there is no firmware, image or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tool failed.
    #[error("{tool} failed ({status}); its whole output is in {}\n{tail}", log.display())]
    Tool {
        /// The tool's name.
        tool: String,
        /// How it ended.
        status: String,
        /// Path of the log.
        log: PathBuf,
        /// The end of its output.
        tail: String,
    },
    /// A tool's output has a form that this build of the harness cannot parse.
    #[error("{tool}: {what}")]
    Unreadable {
        /// The tool's name.
        tool: &'static str,
        /// What is wrong with the output.
        what: String,
    },
    /// Firmware, model and request do not fit the memory of the target.
    #[error("does not fit: region `{region}` is too small by {by} bytes")]
    DoesNotFit {
        /// Name of the memory region in the linker script.
        region: String,
        /// By how many bytes the region is too small.
        by: u64,
    },
    /// A file could not be read or written, or a process could not be started.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// The action.
        what: &'static str,
        /// The file or the program.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A tool or the emulator did not finish.
    #[error(transparent)]
    Run(#[from] ProcessError),
    /// The harness itself failed.
    #[error(transparent)]
    Harness(#[from] Box<crate::workspace::error::Error>),
}

impl From<crate::workspace::error::Error> for Error {
    fn from(error: crate::workspace::error::Error) -> Self {
        Error::Harness(Box::new(error))
    }
}

impl Error {
    /// For `map_err`: an action on a file or program.
    pub(in crate::targets::kinds) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Error + 'a {
        move |source| Error::Io { what, path: path.into(), source }
    }
}

/// Runs a tool, saves its standard error in `log`, and returns its standard output.
pub(in crate::targets::kinds) fn run_tool(command: &mut Command, log: &Path) -> Result<String, Error> {
    let program = PathBuf::from(command.get_program());
    let output = run(command, b"", LIMITS)?;
    let said = output.stderr;
    std::fs::write(log, format!("{command:?}\n{said}")).map_err(Error::io("write", log))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let tool = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut from = said.len().saturating_sub(TAIL);
    while !said.is_char_boundary(from) {
        from += 1;
    }
    let tail = said.get(from..).unwrap_or_default().trim().to_string();
    Err(Error::Tool { tool, status: output.status.to_string(), log: log.into(), tail })
}
