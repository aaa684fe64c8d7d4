//! Helpers for the tests of threads.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs `test`, which may hang if threads wait for each other, for at most `seconds`.
pub fn within(seconds: u64, test: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel();
    let thread = thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match ended.recv_timeout(Duration::from_secs(seconds)) {
        Err(RecvTimeoutError::Timeout) => panic!("still not done after {seconds} s"),
        _ => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}
