//! What can go wrong in the harness itself, each with the sentence a person reads and the code a script reads.

use crate::workspace::exit::Exit;
use crate::workspace::programs::process::error::ProcessError;
use std::io;
use std::path::{Path, PathBuf};

/// An error of the harness. Its text says what happened and, where something can be done, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file of ours does not say what it must.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// A name that nothing has.
    #[error("there is no {kind} `{name}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// The name given.
        name: String,
        /// The name most like it.
        nearest: Option<String>,
    },
    /// A selection that selects nothing.
    #[error("nothing is selected: no {kind} matches {pattern}{}; `cargo xtask list` shows what there is", nearest.as_ref().map(|n| format!(", the nearest is `{n}`")).unwrap_or_default())]
    EmptySelection {
        /// Which flag is to blame.
        kind: &'static str,
        /// The patterns given.
        pattern: String,
        /// The name most like the pattern.
        nearest: Option<String>,
    },
    /// A pattern that is no regular expression.
    #[error("`{pattern}` is not a regular expression for --{kind}: {message}")]
    Pattern {
        /// Which flag it was given to.
        kind: &'static str,
        /// The text given.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// A command of the build failed.
    #[error("{what} failed; the log is {}\n{tail}", log.display())]
    Build {
        /// What was being built.
        what: String,
        /// Where all it said is.
        log: PathBuf,
        /// The end of what it said.
        tail: String,
    },
    /// A process of ours could not be run to its end.
    #[error("{what}: {source}")]
    Process {
        /// What was run.
        what: String,
        /// What went wrong.
        source: ProcessError,
    },
    /// A chart or a page could not be drawn.
    #[error("cannot draw {what}: {message}")]
    Draw {
        /// Which one.
        what: String,
        /// What went wrong.
        message: String,
    },
    /// A selection of which nothing can run here.
    #[error("nothing of what is selected can run here: {0}")]
    CannotRun(String),
    /// Things that must not be put beside each other, as a sentence that says in what they differ.
    #[error("{0}")]
    NotComparable(String),
    /// Ctrl-C, or a request to end.
    #[error("interrupted; nothing half-written was left behind")]
    Interrupted,
    /// Anything else that is wrong with the question asked, as a sentence.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// For `map_err`: what was tried on which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_path_buf(), source }
    }

    /// The code a command ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Error::CannotRun(_) | Error::NotComparable(_) => Exit::NotMeasurable,
            _ => Exit::Harness,
        }
    }
}

/// The known name most like `name`, if one is like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(score, _)| *score > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_string())
}
