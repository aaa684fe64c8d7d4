//! Printing that does not panic.
//!
//! `println!` panics if the reader is gone, as in `cargo xtask list | head -1`, or if the disk is full. Here a closed
//! pipe is not an error, and any other failure is kept until the command ends and then gives its own exit code. The
//! command does its work in either case: its exit code does not depend on who reads its output.

use crate::workspace::error::Error;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Mutex;

/// Why standard output can no longer be written; `None` while it can.
static STOPPED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes to standard output.
pub fn out(text: Arguments) {
    attempt(|stdout| stdout.write_fmt(text));
}

/// Writes to standard error. A failure is ignored: there is nowhere left to report it.
pub fn err(text: Arguments) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Flushes standard output at the end of a command.
///
/// # Errors
/// If something could not be written, except to a closed pipe.
pub fn finish() -> Result<(), Error> {
    attempt(|stdout| stdout.flush());
    let stopped = STOPPED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    match stopped {
        Some(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Io { action: "write", path: Path::new("standard output").into(), source })
        }
        _ => Ok(()),
    }
}

fn attempt(write: impl FnOnce(&mut io::StdoutLock) -> io::Result<()>) {
    let mut stopped = STOPPED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if stopped.is_none() {
        *stopped = write(&mut io::stdout().lock()).err();
    }
}
