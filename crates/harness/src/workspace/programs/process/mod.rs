//! Running another program with limits on time and output, and with handling of interrupts.

pub(in crate::workspace) mod error;
pub mod guard;
pub mod owner;

pub use error::ProcessError;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use wait_timeout::ChildExt;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long a program's output may stay open after its exit.
const GRACE: Duration = Duration::from_secs(3);
/// The same after an interrupt.
const SHORT_GRACE: Duration = Duration::from_millis(300);
/// How long to retry starting a program whose file is still open for writing.
const BUSY: Duration = Duration::from_secs(3);
/// How long a command of this program may take to end on request.
const CLEAN_END: Duration = Duration::from_secs(2);
/// Limit of the standard error of a program that is talked to, in bytes.
const MOST_SAID: usize = 1 << 20;
/// Interval at which a wait checks for an interrupt.
const TURN: Duration = Duration::from_millis(50);

/// Requests everything to end: programs are killed, commands of this program that it runs get the same request, and
/// loops stop at their next iteration.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// Whether [`interrupt`] was called.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Limits of a program.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time limit.
    pub time: Duration,
    /// Limit in bytes of its standard output, and of its standard error.
    pub output: usize,
}

/// The result of a program.
#[derive(Debug)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, with invalid bytes replaced.
    pub stderr: String,
}

/// Runs a program until it exits, feeding it `input`.
///
/// The program gets its own process group, so that a time-out also ends its child processes.
///
/// # Errors
/// If it cannot be started, exceeds a limit or is ended by a signal. A nonzero exit status is not an error here.
pub fn run(command: &mut Command, input: &[u8], limits: Limits) -> Result<Output, ProcessError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(command)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let overflow = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that does not read its input shows that in its answer.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        let (out_sender, out) = mpsc::channel();
        let (err_sender, err) = mpsc::channel();
        let overflow = &overflow;
        scope.spawn(move || out_sender.send(collect(stdout, limits.output, overflow)));
        scope.spawn(move || err_sender.send(collect(stderr, limits.output, overflow)));
        let ended = wait(&mut child, limits, overflow);
        if ended.is_err() {
            end_group(&mut child);
        }
        let grace = if interrupted() { SHORT_GRACE } else { GRACE };
        let stdout = out.recv_timeout(grace);
        let stderr = err.recv_timeout(grace);
        let left_behind = [&stdout, &stderr].into_iter().any(|text| text == &Err(mpsc::RecvTimeoutError::Timeout));
        if left_behind {
            // Also unblocks the reading threads.
            end_group(&mut child);
        }
        if left_behind && interrupted() {
            // Also processes in other groups.
            guard::owner().map(|owner| guard::kill_owned(&owner));
        }
        let (stdout, stderr) = (stdout.unwrap_or_default(), stderr.unwrap_or_default());
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let status = ended?;
        if left_behind {
            return Err(ProcessError::LeftBehind);
        }
        if overflow.load(Ordering::SeqCst) {
            return Err(ProcessError::TooMuch(limits.output));
        }
        match status.signal() {
            Some(signal) => Err(ProcessError::Signal { signal, stderr: tail(&stderr, 5) }),
            None => Ok(Output { status, stdout, stderr }),
        }
    })
}

/// Runs a program while `talk` writes to it and reads from it, and ends it then. Returns what `talk` does, and the
/// program's standard error.
///
/// # Errors
/// If it cannot be started, if the time is over, or if interrupted.
pub fn converse<T: Send>(
    command: &mut Command,
    time: Duration,
    talk: impl FnOnce(ChildStdin, ChildStdout) -> T + Send,
) -> Result<(T, String), ProcessError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(command)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let started = Instant::now();
    std::thread::scope(|scope| {
        let said = scope.spawn(|| collect(stderr, MOST_SAID, &AtomicBool::new(false)));
        let (sender, talked) = mpsc::channel();
        scope.spawn(move || stdin.zip(stdout).map(|(stdin, stdout)| sender.send(talk(stdin, stdout))));
        let ended = loop {
            match talked.recv_timeout(TURN) {
                Ok(talked) => break Ok(talked),
                Err(_) if interrupted() => break Err(ProcessError::Interrupted),
                Err(_) if started.elapsed() > time => break Err(ProcessError::TimedOut(time.as_secs())),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                // `talk` panicked, which the scope reports.
                Err(mpsc::RecvTimeoutError::Disconnected) => break Err(ProcessError::Interrupted),
            }
        };
        // Closes its pipes, which ends the threads.
        end_group(&mut child);
        let said = said.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((ended?, String::from_utf8_lossy(&said).into_owned()))
    })
}

/// Runs a command of this program, which shares the standard error of this process; returns its status and its standard
/// output.
///
/// It has its own process group, so that Ctrl-C in a terminal reaches only this process, which passes it on once. The
/// command itself ends its child processes.
///
/// # Errors
/// If it cannot be started, or if interrupted.
pub fn run_verb(command: &mut Command, output: usize) -> Result<(ExitStatus, Vec<u8>), ProcessError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = start(command)?;
    let stdout = child.stdout.take();
    let overflow = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let said = scope.spawn(|| collect(stdout, output, &overflow));
        let ended = wait(&mut child, Limits { time: Duration::MAX, output }, &overflow);
        if ended.is_err() {
            ask_to_end(&mut child);
        }
        let said = said.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((ended?, said))
    })
}

/// Starts a program in its own process group. The file of a program that was just written may be busy for a moment: a
/// child that another thread is starting has it open for writing until it executes its own program.
fn start(command: &mut Command) -> Result<Child, ProcessError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| ProcessError::Start { program, source };
    if let Err(source) = guard::start(None) {
        return Err(failed(source));
    }
    let since = Instant::now();
    loop {
        match command.process_group(0).spawn() {
            Err(busy) if busy.kind() == io::ErrorKind::ExecutableFileBusy && since.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(1));
            }
            started => return started.map_err(failed),
        }
    }
}

fn wait(child: &mut Child, limits: Limits, overflow: &AtomicBool) -> Result<ExitStatus, ProcessError> {
    let started = Instant::now();
    loop {
        if interrupted() {
            return Err(ProcessError::Interrupted);
        }
        if overflow.load(Ordering::SeqCst) {
            return Err(ProcessError::TooMuch(limits.output));
        }
        let left = limits.time.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(ProcessError::TimedOut(limits.time.as_secs()));
        }
        match child.wait_timeout(left.min(TURN)).map_err(ProcessError::Wait)? {
            Some(status) => return Ok(status),
            None => continue,
        }
    }
}

/// Requests a command of this program to end, and kills it if it does not.
fn ask_to_end(child: &mut Child) {
    if let Some(pid) = pid(child) {
        // It may have exited since.
        let _ = kill_process(pid, Signal::TERM);
    }
    if !matches!(child.wait_timeout(CLEAN_END), Ok(Some(_))) {
        end_group(child);
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn end_group(child: &mut Child) {
    if let Some(group) = pid(child) {
        // It may have exited since: then there is nothing to end.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn collect(pipe: Option<impl Read>, limit: usize, overflow: &AtomicBool) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // A broken pipe gives a truncated text, which its reader detects.
        let _ = pipe.take(limit as u64 + 1).read_to_end(&mut bytes);
    }
    if bytes.len() > limit {
        overflow.store(true, Ordering::SeqCst);
        bytes.truncate(limit);
    }
    bytes
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
