//! The request for one run of a target, and why a run may give no answer.

use super::skip::Skip;
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process::ProcessError;
use bitstate_protocol::{Digest, Job, LineError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A model file, readable by every target.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// Its name in cases.
    pub name: String,
    /// Path of the file.
    pub path: PathBuf,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

/// One run: jobs on a model.
#[derive(Debug, Clone)]
pub struct RunRequest<'a> {
    /// The model.
    pub model: &'a ModelFile,
    /// The jobs.
    pub jobs: Vec<Job>,
    /// On WASM: count fuel instead of measuring time.
    pub fuel: bool,
    /// Time limit.
    pub timeout: Duration,
}

impl RunRequest<'_> {
    /// Whether it begins or resumes sessions, for which some runners are built with the library.
    pub fn has_sessions(&self) -> bool {
        self.jobs.iter().any(|job| matches!(job, Job::Begin(_) | Job::Resume(_)))
    }
}

/// Why a run gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not finish.
    #[error("{0}")]
    Process(#[from] ProcessError),
    /// It ended with a status that means failure.
    #[error("ended with status {status}{}", if stderr.is_empty() { String::new() } else { format!(": {stderr}") })]
    Status {
        /// The status.
        status: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// Its answer is incomplete or malformed.
    #[error("its answer cannot be read: {0}")]
    Garbled(String),
    /// Another target answered.
    #[error("asked target `{asked}`, but `{answered}` answered")]
    WrongTarget {
        /// The target asked.
        asked: String,
        /// The target that answered.
        answered: String,
    },
    /// Another variant ran than the requested one.
    #[error("requested variant `{asked}`, but `{ran}` ran: a silent fall-back")]
    FellBack {
        /// The requested variant.
        asked: String,
        /// The variant that ran.
        ran: String,
    },
    /// It read bytes other than the model file's.
    #[error("it ran model {ran}, but the model file's digest is {file}")]
    WrongModel {
        /// Digest reported by the runner.
        ran: Digest,
        /// Digest of the file.
        file: Digest,
    },
    /// Its answer does not match the requested jobs.
    #[error("its answer is about the wrong things: {0}")]
    WrongJobs(String),
    /// A step specific to this kind of target failed.
    #[error("{0}")]
    Kind(Box<dyn std::error::Error + Send + Sync>),
    /// It cannot run here, for a known reason.
    #[error("{0}")]
    Skipped(Skip),
    /// The harness itself failed.
    #[error("{0}")]
    Harness(#[from] Error),
}

impl RunError {
    /// The resulting exit code of a command.
    pub fn exit(&self) -> Exit {
        match self {
            RunError::Skipped(_) => Exit::NotMeasurable,
            _ => Exit::Harness,
        }
    }
}

impl From<LineError> for RunError {
    fn from(error: LineError) -> Self {
        RunError::Garbled(error.to_string())
    }
}

/// Digest and size of a model file.
///
/// # Errors
/// If it cannot be read.
pub fn model_file(name: &str, path: &Path) -> Result<ModelFile, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    Ok(ModelFile {
        name: name.to_string(),
        path: path.to_path_buf(),
        digest: Digest::of(&bytes),
        bytes: bytes.len() as u64,
    })
}
