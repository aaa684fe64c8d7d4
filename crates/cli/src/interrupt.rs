//! Ctrl-C, and SIGTERM and SIGHUP, which are treated alike.

use anyhow::{Context, Result};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code after Ctrl-C, as shells have it: 128 and the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Whether a first Ctrl-C only asks to stop, because there is something to keep.
static KEEPING: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C ends the process with [`INTERRUPTED`], at once or, within [`keep`], at the next [`asked`].
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if !KEEPING.load(Ordering::SeqCst) || ASKED.swap(true, Ordering::SeqCst) {
            exit(INTERRUPTED.into());
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Runs what looks at [`asked`] between two steps. A second Ctrl-C ends the process at once.
pub fn keep<T>(run: impl FnOnce() -> T) -> T {
    ASKED.store(false, Ordering::SeqCst);
    KEEPING.store(true, Ordering::SeqCst);
    let done = run();
    KEEPING.store(false, Ordering::SeqCst);
    done
}

/// Whether Ctrl-C has asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
