//! Helpers for kinds whose runners are processes on this machine.

use super::super::kind::Answered;
use super::super::request::RunError;
use super::sections;
use crate::workspace::error::Error;
use crate::workspace::process::{self, Limits};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Output limit in bytes: forty times the longest answer, every step of 400 tokens.
const OUTPUT_LIMIT: usize = 64 << 20;

/// Runs a program that speaks the line format, without parsing its answer.
pub(super) fn converse(command: &mut Command, request: &str, timeout: Duration) -> Result<Answered, RunError> {
    let output = process::run(command, request.as_bytes(), Limits { time: timeout, output: OUTPUT_LIMIT })?;
    let all_succeeded = match output.status.code() {
        Some(0) => true,
        // A status of 1 without output comes not from the runner but from the program that should start it.
        Some(1) if !output.stdout.is_empty() => false,
        _ => {
            let stderr = process::tail(&output.stderr, 5);
            return Err(RunError::Status { status: output.status.to_string(), stderr });
        }
    };
    let text = String::from_utf8(output.stdout)
        .map_err(|error| RunError::Garbled(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))?;
    Ok(Answered { text, all_succeeded, metrics: Vec::new() })
}

/// The size of a file, and of its sections if it has any.
///
/// # Errors
/// If it cannot be read.
pub(super) fn file_sizes(path: &Path) -> Result<Vec<(&'static str, u64)>, Error> {
    let file = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut all = vec![("file", file.len() as u64)];
    all.extend(sections::sizes(&file).into_iter().flatten());
    Ok(all)
}
