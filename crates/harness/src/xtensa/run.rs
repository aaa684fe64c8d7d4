//! Running an image under QEMU, with limits on time and output.

use super::error::Error;
use super::link::Image;
use super::toolchain::Toolchain;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use wait_timeout::ChildExt;

/// Most bytes that a run may write to one of its descriptors.
pub const OUTPUT_LIMIT: usize = 64 << 20;

/// How often the limit on output is looked at.
const SLICE: Duration = Duration::from_millis(20);

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
    /// Something that the firmware does not do: the emulator itself failed or was killed.
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
/// [`Error::TimedOut`] and [`Error::TooMuchOutput`] after the emulator was stopped.
pub fn run(tools: &Toolchain, image: &Image, timeout: Duration) -> Result<RunOutput, Error> {
    let mut command = Command::new(&tools.qemu);
    command.args(["-M", "sim", "-cpu", "de233_fpu", "-m", "24M", "-icount", "shift=0,sleep=off"]);
    command.args(["-semihosting", "-nographic", "-monitor", "none", "-serial", "none", "-no-reboot", "-kernel"]);
    supervise(command.arg(&image.path), timeout, OUTPUT_LIMIT)
}

/// Runs a command with its output collected, and stops it at either limit.
fn supervise(command: &mut Command, timeout: Duration, limit: usize) -> Result<RunOutput, Error> {
    let program = std::path::PathBuf::from(command.get_program());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Stopped(command.spawn().map_err(Error::io("start", &program))?);
    let full = AtomicBool::new(false);
    let (stdout, stderr) = (child.0.stdout.take(), child.0.stderr.take());
    let (status, stdout, stderr) = thread::scope(|scope| {
        let stdout = scope.spawn(|| collect(stdout, limit, &full));
        let stderr = scope.spawn(|| collect(stderr, limit, &full));
        let status = wait(&mut child, timeout, &full);
        // Stopped or ended, its side of the pipes is closed and the readers come to their end.
        drop(child);
        (status, stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default())
    });
    let status = status.map_err(Error::io("wait for", &program))?;
    if full.load(Ordering::Relaxed) {
        return Err(Error::TooMuchOutput { limit });
    }
    let exit = match status.ok_or(Error::TimedOut { limit: timeout })?.code() {
        Some(0) => Exit::Ok,
        Some(1) => Exit::Failed,
        Some(101) => Exit::Panicked,
        Some(102) => Exit::Trapped,
        code => Exit::Other(code),
    };
    Ok(RunOutput { stdout, stderr, exit })
}

/// A process that is stopped and waited for when it goes out of scope, whatever the way.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended by itself: both calls then do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait(child: &mut Stopped, timeout: Duration, full: &AtomicBool) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < timeout && !full.load(Ordering::Relaxed) && !crate::process::interrupted() {
        let left = timeout.saturating_sub(start.elapsed());
        if let Some(status) = child.0.wait_timeout(left.min(SLICE))? {
            return Ok(Some(status));
        }
    }
    Ok(None)
}

fn collect(pipe: Option<impl Read>, limit: usize, full: &AtomicBool) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // An error ends the text as an end does; the answer's closing line shows what is missing.
        let _ = pipe.take(limit as u64 + 1).read_to_end(&mut bytes);
    }
    if bytes.len() > limit {
        full.store(true, Ordering::Relaxed);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, timeout_ms: u64, limit: usize) -> Result<RunOutput, Error> {
        supervise(Command::new("/bin/sh").args(["-c", script]), Duration::from_millis(timeout_ms), limit)
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
        assert!(matches!(shell("exec sleep 60", 200, 100), Err(Error::TimedOut { .. })));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_run_that_never_stops_writing_is_stopped() {
        assert!(matches!(shell("exec cat /dev/zero", 60_000, 5000), Err(Error::TooMuchOutput { limit: 5000 })));
    }

    #[test]
    fn garbage_and_unknown_statuses_are_told() {
        let output = shell("printf '\\377\\376'; exit 7", 10_000, 100).expect("a run");
        assert_eq!((output.stdout.as_str(), output.exit), ("\u{fffd}\u{fffd}", Exit::Other(Some(7))));
        assert_eq!(output.stack_high_water(), None);
    }
}
