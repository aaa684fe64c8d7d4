//! Running an image under QEMU, with limits on time and output.

use super::error::Error;
use super::link::Image;
use super::toolchain::Toolchain;
use crate::workspace::environment::command;
use crate::workspace::process::{self, Limits};
use std::process::Command;
use std::time::Duration;

/// Most bytes that a run may write to one of its descriptors.
pub const OUTPUT_LIMIT: usize = 64 << 20;

/// How the firmware ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every job succeeded.
    Ok,
    /// A job failed, as the answer says, or none could start, as the standard error says.
    Failed,
    /// The firmware panicked, out of memory included: the message is in the standard error.
    Panicked,
    /// The core raised an exception: its cause and place are in the standard error.
    Trapped,
    /// Something that the firmware does not do: the emulator itself failed.
    Other(Option<i32>),
}

/// What a run said. Bytes that are not UTF-8 are replaced, which the answer's closing digest notices.
#[derive(Debug, Clone)]
pub struct RunOutput {
    /// The answer.
    pub stdout: String,
    /// Panics, the stack's use, and the emulator's own messages.
    pub stderr: String,
    /// How it ended.
    pub exit: Exit,
}

impl RunOutput {
    /// Most bytes of stack in use at once; not known where the firmware did not reach its end.
    pub fn stack_high_water(&self) -> Option<u64> {
        self.stderr.lines().find_map(|line| line.strip_prefix("stack_high_water=")?.parse().ok())
    }
}

/// Runs an image to its end.
///
/// Instructions are counted, not timed: the same image takes the same number of them each time. `sleep=off` keeps the
/// real time that passes before the first instruction out of the counter, where it would move every reading by a tick.
///
/// # Errors
/// [`Error::Run`] if the emulator could not be started or was stopped: at a limit, by a signal, on Ctrl-C.
pub fn run(tools: &Toolchain, image: &Image, timeout: Duration) -> Result<RunOutput, Error> {
    let mut command = command(&tools.qemu);
    command.args(["-M", &image.board.machine, "-cpu", &image.board.cpu, "-m", &image.board.memory]);
    command.args(["-icount", "shift=0,sleep=off"]);
    command.args(["-semihosting", "-nographic", "-monitor", "none", "-serial", "none", "-no-reboot", "-kernel"]);
    supervise(command.arg(&image.path), Limits { time: timeout, output: OUTPUT_LIMIT })
}

/// Runs a command and reads its end as the firmware's.
fn supervise(command: &mut Command, limits: Limits) -> Result<RunOutput, Error> {
    let output = process::run(command, b"", limits)?;
    let exit = match output.status.code() {
        Some(0) => Exit::Ok,
        Some(1) => Exit::Failed,
        Some(101) => Exit::Panicked,
        Some(102) => Exit::Trapped,
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
    fn garbage_and_unknown_statuses_are_told() {
        let output = shell("printf '\\377\\376'; exit 7", 10_000, 100).expect("a run");
        assert_eq!((output.stdout.as_str(), output.exit), ("\u{fffd}\u{fffd}", Exit::Other(Some(7))));
        assert_eq!(output.stack_high_water(), None);
    }
}
