//! Runs an image under QEMU, with limits on time and output.

use super::error::Error;
use super::link::Image;
use crate::workspace::environment::command;
use crate::workspace::process::{self, Limits};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Output limit of each of a run's descriptors, in bytes.
pub const OUTPUT_LIMIT: usize = 64 << 20;

/// How the firmware ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every job succeeded.
    Ok,
    /// A job failed, as reported in the answer, or none could start, as reported on standard error.
    Failed,
    /// The firmware panicked, possibly out of memory: the message is on standard error.
    Panicked,
    /// The core raised an exception: its cause and address are on standard error.
    Trapped,
    /// The heap was too small: by how much is on standard error.
    OutOfMemory,
    /// A status that the firmware never returns: the emulator itself failed.
    Other(Option<i32>),
}

/// The output of a run. Bytes that are not UTF-8 are replaced, which the answer's closing digest detects.
#[derive(Debug, Clone)]
pub struct RunOutput {
    /// The answer.
    pub stdout: String,
    /// Panics, the stack usage, and the emulator's own messages.
    pub stderr: String,
    /// How it ended.
    pub exit: Exit,
}

impl RunOutput {
    /// Peak stack usage in bytes; unknown if the firmware did not finish.
    pub fn stack_high_water(&self) -> Option<u64> {
        self.stderr.lines().find_map(|line| line.strip_prefix("stack_high_water=")?.parse().ok())
    }

    /// The request that did not fit the heap, the bytes in use then, and the size of the heap.
    pub fn out_of_memory(&self) -> Option<[u64; 3]> {
        let line = self.stderr.lines().find(|line| line.starts_with("out_of_memory "))?;
        let field = |name| line.split(' ').find_map(|word| word.strip_prefix(name)?.parse().ok());
        Some([field("bytes=")?, field("used=")?, field("heap=")?])
    }
}

/// Runs an image until it exits, with more options for the emulator and in a folder that the firmware may read.
///
/// # Errors
/// [`Error::Run`] if the emulator could not be started or was stopped by a limit, a signal or an interrupt.
pub fn run(image: &Image, options: &[String], folder: &Path, timeout: Duration) -> Result<RunOutput, Error> {
    let (emulator, board) = &image.emulator;
    let mut command = command(emulator);
    command.current_dir(folder).args(board).args(options);
    command.args(["-nographic", "-monitor", "none", "-serial", "none", "-no-reboot", "-kernel"]);
    supervise(command.arg(&image.path), Limits { time: timeout, output: OUTPUT_LIMIT })
}

/// Runs a command and interprets its exit status as the firmware's.
fn supervise(command: &mut Command, limits: Limits) -> Result<RunOutput, Error> {
    let output = process::run(command, b"", limits)?;
    let exit = match output.status.code() {
        Some(0) => Exit::Ok,
        Some(1) => Exit::Failed,
        Some(101) => Exit::Panicked,
        Some(102) => Exit::Trapped,
        Some(103) => Exit::OutOfMemory,
        code => Exit::Other(code),
    };
    Ok(RunOutput { stdout: String::from_utf8_lossy(&output.stdout).into_owned(), stderr: output.stderr, exit })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::workspace::process::ProcessError;
    use std::time::Instant;

    fn shell(script: &str, timeout_ms: u64, limit: usize) -> Result<RunOutput, Error> {
        let limits = Limits { time: Duration::from_millis(timeout_ms), output: limit };
        supervise(command("/bin/sh").args(["-c", script]), limits)
    }

    #[test]
    fn output_and_status_come_back() {
        let output = shell("echo out; echo stack_high_water=1234 >&2; exit 1", 10_000, 100).expect("a run");
        assert_eq!((output.stdout.as_str(), output.exit), ("out\n", Exit::Failed));
        assert_eq!(output.stack_high_water(), Some(1234));
    }

    #[test]
    fn a_heap_that_was_too_small_is_told_from_a_panic() {
        let script = "echo warning >&2; echo out_of_memory bytes=4096 used=60000 heap=62000 >&2; exit 103";
        let output = shell(script, 10_000, 100).expect("a run");
        assert_eq!((output.exit, output.out_of_memory()), (Exit::OutOfMemory, Some([4096, 60_000, 62_000])));
    }

    #[test]
    fn a_run_that_hangs_is_stopped() {
        let start = Instant::now();
        assert!(matches!(shell("exec sleep 60", 200, 100), Err(Error::Run(ProcessError::TimedOut(_)))));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_run_that_never_stops_writing_is_stopped() {
        assert!(matches!(shell("exec cat /dev/zero", 60_000, 5000), Err(Error::Run(ProcessError::TooMuch(5000)))));
    }

    #[test]
    fn garbage_and_unknown_statuses_are_reported() {
        let output = shell("printf '\\377\\376'; exit 7", 10_000, 100).expect("a run");
        assert_eq!((output.stdout.as_str(), output.exit), ("\u{fffd}\u{fffd}", Exit::Other(Some(7))));
        assert_eq!(output.stack_high_water(), None);
    }
}
