//! What is asked of a target, and why there may be no answer.

use super::skip::Skip;
use crate::workspace::error::Error;
use crate::workspace::exit::Exit;
use crate::workspace::process::ProcessError;
use bitstate_protocol::{Digest, Job, LineError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A model file, ready for every target.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// Its name in cases.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

/// One run: what is asked of which model.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The model.
    pub model: &'a ModelFile,
    /// What to do.
    pub jobs: Vec<Job>,
    /// On WASM: count fuel instead of taking the time.
    pub fuel: bool,
    /// Longest run.
    pub timeout: Duration,
}

/// Why a run gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not come to its end.
    #[error("{0}")]
    Process(#[from] ProcessError),
    /// It ended with a status that says it could not work.
    #[error("ended with status {status}{}", if stderr.is_empty() { String::new() } else { format!(": {stderr}") })]
    Status {
        /// The status.
        status: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// Its answer is not a whole answer.
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
    /// Another variant ran than was asked for.
    #[error("asked for variant `{asked}`, but `{ran}` ran: a silent fall-back")]
    FellBack {
        /// The variant asked for.
        asked: String,
        /// The variant that ran.
        ran: String,
    },
    /// It read other bytes than the model file's.
    #[error("it ran model {ran}, but the model file's digest is {file}")]
    WrongModel {
        /// Digest the runner gave.
        ran: Digest,
        /// Digest of the file.
        file: Digest,
    },
    /// It answered what was not asked, or not what was asked.
    #[error("its answer is about the wrong things: {0}")]
    WrongJobs(String),
    /// What only this kind of target does failed.
    #[error("{0}")]
    Kind(Box<dyn std::error::Error + Send + Sync>),
    /// It cannot run here, for a known reason.
    #[error("{0}")]
    Skipped(Skip),
    /// The harness could not do its own part.
    #[error("{0}")]
    Harness(#[from] Error),
}

impl RunError {
    /// The code that this means for a command.
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
