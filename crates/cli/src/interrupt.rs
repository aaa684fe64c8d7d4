//! Ctrl-C, and SIGTERM and SIGHUP, which are treated alike.

use anyhow::{Context, Result};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code after Ctrl-C, as in shells: 128 plus the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Whether the first Ctrl-C only requests a stop, because there is something to save.
static KEEPING: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on, Ctrl-C exits with [`INTERRUPTED`]: at once or, within [`keep`], at the next call of [`asked`].
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if !KEEPING.load(Ordering::SeqCst) || ASKED.swap(true, Ordering::SeqCst) {
            exit(INTERRUPTED.into());
        }
    })
    .context("cannot install a handler for Ctrl-C")
}

/// Runs code that checks [`asked`] between steps. A second Ctrl-C ends the process at once.
pub fn keep<T>(run: impl FnOnce() -> T) -> T {
    ASKED.store(false, Ordering::SeqCst);
    KEEPING.store(true, Ordering::SeqCst);
    let done = run();
    KEEPING.store(false, Ordering::SeqCst);
    done
}

/// Whether Ctrl-C was pressed.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
