//! Printing that does not panic.
//!
//! `println!` panics if the reader is gone, as in `cargo xtask list | head -1`, or if the disk is full. Here a closed pipe
//! is no error, and any other failure is kept until the command ends, with a code of its own. The command does its work
//! either way: its exit code does not depend on who reads its output.

use crate::workspace::error::Error;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Mutex;

/// Why standard output takes nothing any more; none while it does.
static STOPPED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes to standard output.
pub fn out(text: Arguments) {
    attempt(|stdout| stdout.write_fmt(text));
}

/// Writes to standard error. A failure is ignored: there is nowhere left to report it.
pub fn err(text: Arguments) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Ends standard output: everything that was printed has been written.
///
/// # Errors
/// If something could not be written, unless the reader has gone.
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
