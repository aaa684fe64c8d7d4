//! Firmware with a console (`crates/runners/console`): a terminal session with it, and the answer of its `:test`.

use super::error::Error;
use super::launch::{out_of_memory, too_large};
use super::run::{Exit, RunOutput};
use crate::targets::kind::Answered;
use crate::targets::request::RunError;
use crate::workspace::process::{converse, tail};
use std::io;
use std::process::{ChildStdin, ChildStdout, Command};
use std::time::Duration;

/// What it prints when it waits for a line.
pub(in crate::targets::kinds) const PROMPT: &[u8] = b"\n> ";
/// What it prints when it has stopped for good.
pub(in crate::targets::kinds) const HALTED: &[u8] = b"reset the board\n";
/// Most bytes that it may print.
pub(in crate::targets::kinds) const MOST: usize = 4 << 20;

/// Runs an emulator while `talk` has a terminal session with it; returns what the terminal shows.
///
/// # Errors
/// That of `talk`, with what the emulator said; or the time is over.
pub(in crate::targets::kinds) fn session(
    emulator: &mut Command,
    time: Duration,
    talk: impl FnOnce(ChildStdin, ChildStdout) -> io::Result<Vec<u8>> + Send,
) -> Result<Vec<u8>, Error> {
    let (talked, stderr) = converse(emulator, time, talk)?;
    talked.map_err(|error| {
        let said = tail(&stderr, 3);
        let said = if said.is_empty() { said } else { format!("; the emulator said: {said}") };
        Error::Unreadable { tool: "the emulated board", what: format!("{error}{said}") }
    })
}

/// The answer in what a terminal shows after `:test`, for a model of so many bytes.
///
/// # Errors
/// If there is none: the model is too large, or the firmware failed.
pub(in crate::targets::kinds) fn test_answer(shown: &[u8], model: u64) -> Result<Answered, RunError> {
    let shown = String::from_utf8_lossy(shown).into_owned();
    let output = RunOutput { stdout: String::new(), stderr: shown, exit: Exit::OutOfMemory };
    if output.out_of_memory().is_some() {
        return Err(too_large(out_of_memory(model, &output)));
    }
    let shown = output.stderr;
    // From the answer's first line to the last one of the firmware itself.
    let answer = shown.find("\nbitstate version=").and_then(|start| shown.get(start + 1..));
    let status = shown.lines().rev().find_map(|line| line.strip_prefix("status="));
    let (Some(answer), Some(status)) = (answer, status) else {
        return Err(RunError::Status { status: "no answer".into(), stderr: tail(&shown, 5) });
    };
    let end = answer.find("\nend ").and_then(|at| Some(at + 1 + answer.get(at + 1..)?.find('\n')? + 1));
    let text = answer.get(..end.unwrap_or(answer.len())).unwrap_or(answer).to_string();
    match status {
        "0" | "1" => Ok(Answered { text, all_succeeded: status == "0", metrics: Vec::new() }),
        other => Err(RunError::Status { status: other.into(), stderr: tail(&shown, 5) }),
    }
}
