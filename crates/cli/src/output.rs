//! Standard output and standard error, and files that may be either of them.

use anyhow::{Context, Result};
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, StdoutLock, Write};
use std::path::Path;

/// What `--out` calls standard output.
const DASH: &str = "-";

/// Standard output for text. Its errors say that they are its own.
pub struct Stdout(StdoutLock<'static>);

/// Standard output, until it is dropped.
pub fn stdout() -> Stdout {
    Stdout(io::stdout().lock())
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(StdoutError::of)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(StdoutError::of)
    }
}

/// Text that standard output did not take.
#[derive(Debug)]
struct StdoutError(io::Error);

impl StdoutError {
    fn of(error: io::Error) -> io::Error {
        // A call that was interrupted is made again by whoever sees this kind.
        io::Error::new(error.kind(), StdoutError(error))
    }
}

impl fmt::Display for StdoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl Error for StdoutError {}

/// What came of printing to standard output by other means than [`stdout`].
pub fn printed(result: io::Result<()>) -> Result<()> {
    Ok(result.and_then(|()| io::stdout().flush()).map_err(StdoutError::of)?)
}

/// Whether the reader of standard output closed the pipe, which is not an error. Where a model was to be
/// written it is one.
pub fn reader_went_away(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| {
        error.kind() == ErrorKind::BrokenPipe && error.get_ref().is_some_and(|inner| inner.is::<StdoutError>())
    })
}

/// Says something on standard error. One that cannot be written changes nothing.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes the file that `--out` names, whole or not at all; `-` is standard output.
pub fn write_out(out: &Path, bytes: &[u8]) -> Result<()> {
    if !is_stdout(out) {
        return Ok(bitstate_files::write_whole(out, |file| file.write_all(bytes))?);
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the file to standard output")
}

/// Says what was written to `out`: on standard output, unless that is what was written.
pub fn summarise(out: &Path, summary: &str) -> Result<()> {
    if is_stdout(out) {
        say(format_args!("{summary}"));
        return Ok(());
    }
    Ok(writeln!(stdout(), "{summary}")?)
}

/// Whether other files can lie beside `out`: beside a device, a pipe or standard output there are none.
#[cfg(feature = "train")]
pub fn has_place(out: &Path) -> bool {
    !is_stdout(out) && !std::fs::metadata(out).is_ok_and(|at| !at.is_file() && !at.is_dir())
}

/// Whether `out` is standard output, by any name.
fn is_stdout(out: &Path) -> bool {
    out == Path::new(DASH) || is_open_as_stdout(out).unwrap_or(false)
}

#[cfg(unix)]
fn is_open_as_stdout(out: &Path) -> io::Result<bool> {
    use std::fs::{File, metadata};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?).metadata()?;
    let out = metadata(out)?;
    Ok((stdout.dev(), stdout.ino()) == (out.dev(), out.ino()))
}

#[cfg(not(unix))]
fn is_open_as_stdout(_: &Path) -> io::Result<bool> {
    Ok(false)
}
