//! What can go wrong on the way to an answer, and running a tool with its words kept.

use super::toolchain::MissingTools;
use crate::workspace::process::{Limits, ProcessError, run};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How much of a failing tool's words an error repeats; the log has them all.
const TAIL: usize = 4096;
/// What a tool may take and say. Building takes minutes; listing an image's assembly says megabytes.
const LIMITS: Limits = Limits { time: Duration::from_secs(3600), output: 256 << 20 };

/// Why there is no firmware, no image or no run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Tools are not installed.
    #[error(transparent)]
    MissingTools(#[from] MissingTools),
    /// A tool said no.
    #[error("{tool} failed ({status}); all it said is in {}\n{tail}", log.display())]
    Tool {
        /// The tool's name.
        tool: String,
        /// How it ended.
        status: String,
        /// Where all it said is.
        log: PathBuf,
        /// The end of what it said.
        tail: String,
    },
    /// A tool's output is not what this build of the harness knows how to read.
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
        /// How many bytes too many there are.
        by: u64,
    },
    /// A file could not be read or written, or a process not started.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or the program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A tool or the emulator did not come to its end.
    #[error(transparent)]
    Run(#[from] ProcessError),
    /// The harness could not do its own part.
    #[error(transparent)]
    Harness(#[from] Box<crate::workspace::error::Error>),
}

impl From<crate::workspace::error::Error> for Error {
    fn from(error: crate::workspace::error::Error) -> Self {
        Error::Harness(Box::new(error))
    }
}

impl Error {
    /// For `map_err`: what was tried, on which file or program.
    pub(super) fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
        move |source| Error::Io { what, path: path.into(), source }
    }
}

/// Runs a tool to its end, its standard error kept in `log`, and returns its standard output.
pub(super) fn run_tool(command: &mut Command, log: &Path) -> Result<String, Error> {
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
