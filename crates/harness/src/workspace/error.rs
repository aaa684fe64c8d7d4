//! The errors of the harness itself, each with a message and an exit code.

use crate::workspace::exit::Exit;
use crate::workspace::programs::process::error::ProcessError;
use std::io;
use std::path::{Path, PathBuf};

/// An error of the harness. Its message says what happened and, if possible, how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file of the workspace is malformed.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A name that does not exist.
    #[error("there is no {kind} `{name}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// What kind of name it is.
        kind: &'static str,
        /// The name given.
        name: String,
        /// The most similar name.
        nearest: Option<String>,
    },
    /// A selection that matches nothing.
    #[error("nothing is selected: no {kind} matches {pattern}{}; `cargo xtask list` shows what there is", nearest.as_ref().map(|n| format!(", the nearest is `{n}`")).unwrap_or_default())]
    EmptySelection {
        /// The flag.
        kind: &'static str,
        /// The patterns given.
        pattern: String,
        /// The name most similar to the pattern.
        nearest: Option<String>,
    },
    /// A pattern that is not a regular expression.
    #[error("`{pattern}` is not a regular expression for --{kind}: {message}")]
    Pattern {
        /// The flag.
        kind: &'static str,
        /// The text given.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// A command of the build failed.
    #[error("{what} failed; the log is {}\n{tail}", log.display())]
    Build {
        /// The build step.
        what: String,
        /// Path of its output.
        log: PathBuf,
        /// The end of its output.
        tail: String,
    },
    /// A child process did not finish.
    #[error("{what}: {source}")]
    Process {
        /// The process.
        what: String,
        /// The cause.
        source: ProcessError,
    },
    /// A chart or a page could not be drawn.
    #[error("cannot draw {what}: {message}")]
    Draw {
        /// The chart or page.
        what: String,
        /// The cause.
        message: String,
    },
    /// No selected cell can run here.
    #[error("nothing of what is selected can run here: {0}")]
    CannotRun(String),
    /// A comparison of things that are not comparable, with the differences.
    #[error("{0}")]
    NotComparable(String),
    /// Ctrl-C, or a request to end.
    #[error("interrupted; nothing half-written was left behind")]
    Interrupted,
    /// Any other refused request, with the reason.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// For `map_err`: an action on a path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_path_buf(), source }
    }

    /// The exit code of the command.
    pub fn exit(&self) -> Exit {
        match self {
            Error::CannotRun(_) | Error::NotComparable(_) => Exit::NotMeasurable,
            _ => Exit::Harness,
        }
    }
}

/// The known name most similar to `name`, if there is one.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(score, _)| *score > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_string())
}
