//! Servers in this process, called over HTTP. One test program, because linking a server takes longer than most of its tests.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod digests;
mod leaving;
mod malformed;
mod refusals;
mod slow;
mod stopping;
mod stream;
mod support;
