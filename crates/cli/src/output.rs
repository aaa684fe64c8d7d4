//! Standard output and standard error, and files that may be one of them.

use anyhow::{Context, Result};
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, StdoutLock, Write};
use std::path::Path;

/// The name of standard output in `--out`.
const DASH: &str = "-";

/// Standard output for text. Its errors name it.
pub struct Stdout(StdoutLock<'static>);

/// Locks standard output until dropped.
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

/// An error of writing to standard output.
#[derive(Debug)]
struct StdoutError(io::Error);

impl StdoutError {
    fn of(error: io::Error) -> io::Error {
        // Callers retry an interrupted call if they see this kind.
        io::Error::new(error.kind(), StdoutError(error))
    }
}

impl fmt::Display for StdoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl Error for StdoutError {}

/// Converts the result of printing to standard output by other means than [`stdout`].
pub fn printed(result: io::Result<()>) -> Result<()> {
    Ok(result.and_then(|()| io::stdout().flush()).map_err(StdoutError::of)?)
}

/// Whether the reader of standard output closed the pipe. This is not an error, except when a model was being written.
pub fn reader_went_away(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| {
        error.kind() == ErrorKind::BrokenPipe && error.get_ref().is_some_and(|inner| inner.is::<StdoutError>())
    })
}

/// Writes a line to standard error. Failures are ignored.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A progress bar on standard error, in a build that has one.
#[cfg(feature = "train")]
pub struct Progress(indicatif::ProgressBar);
#[cfg(not(feature = "train"))]
pub struct Progress;

/// A bar for `of` items.
#[cfg(feature = "train")]
pub fn progress(of: u64, what: &'static str) -> Progress {
    let style = indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left");
    let bar = indicatif::ProgressBar::new(of).with_message(what);
    Progress(style.into_iter().fold(bar, |bar, style| bar.with_style(style)))
}

/// No bar.
#[cfg(not(feature = "train"))]
pub fn progress(_: u64, _: &'static str) -> Progress {
    Progress
}

impl Progress {
    /// One more item is done.
    pub fn advance(&self) {
        #[cfg(feature = "train")]
        self.0.inc(1);
    }

    /// Removes the bar.
    pub fn finish(&self) {
        #[cfg(feature = "train")]
        self.0.finish_and_clear();
    }
}

/// Writes the file named by `--out` atomically; `-` is standard output.
pub fn write_out(out: &Path, bytes: &[u8]) -> Result<()> {
    if !is_stdout(out) {
        return Ok(bitstate_files::write_whole(out, |file| file.write_all(bytes))?);
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the file to standard output")
}

/// Reports what was written to `out`: on standard output, unless `out` is standard output.
pub fn summarise(out: &Path, summary: &str) -> Result<()> {
    if is_stdout(out) {
        say(format_args!("{summary}"));
        return Ok(());
    }
    Ok(writeln!(stdout(), "{summary}")?)
}

/// Whether other files can be written next to `out`: not if it is a device, a pipe or standard output.
#[cfg(feature = "train")]
pub fn has_place(out: &Path) -> bool {
    !is_stdout(out) && !std::fs::metadata(out).is_ok_and(|at| !at.is_file() && !at.is_dir())
}

/// Whether `out` is standard output, under any name.
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
