//! Why a program did not finish.

use std::io;

/// Why a program did not finish.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// It could not be waited for.
    #[error("lost track of the process: {0}")]
    Wait(io::Error),
    /// It ran too long.
    #[error("no end after {0} s, the time limit; it was killed")]
    TimedOut(u64),
    /// Its output exceeded the limit.
    #[error("more than {0} bytes of output, the limit; it was killed")]
    TooMuch(usize),
    /// It exited, but a process that it started did not.
    #[error("it exited, but a process that it started kept running with its output open and was killed")]
    LeftBehind,
    /// A signal ended it.
    #[error("ended by signal {signal}{}{}", name_of(*signal), if stderr.is_empty() { String::new() } else { format!("; it said: {stderr}") })]
    Signal {
        /// The signal's number.
        signal: i32,
        /// The end of its standard error.
        stderr: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// The description of a signal, to follow its number.
fn name_of(signal: i32) -> String {
    const NAMES: [(i32, &str); 13] = [
        (1, "SIGHUP, the terminal is gone"),
        (2, "SIGINT, an interrupt"),
        (3, "SIGQUIT"),
        (4, "SIGILL, an instruction that this CPU does not have"),
        (5, "SIGTRAP"),
        (6, "SIGABRT, it aborted itself"),
        (7, "SIGBUS, a bad address"),
        (8, "SIGFPE, an arithmetic fault"),
        (9, "SIGKILL, from outside: memory may have run out"),
        (11, "SIGSEGV, a bad address"),
        (13, "SIGPIPE, its output was closed"),
        (15, "SIGTERM, from outside"),
        (31, "SIGSYS, a forbidden system call"),
    ];
    NAMES.iter().find(|(number, _)| *number == signal).map(|(_, name)| format!(" ({name})")).unwrap_or_default()
}
