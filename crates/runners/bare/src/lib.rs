//! The suite without an operating system: what the firmware of every core shares.
//!
//! A core's own crate implements [`Machine`], has the start-up code and a linker script with the symbols of
//! `memory`, and calls `run`. The model and the request are linked in. On a host only the parts that tests need are
//! built.
#![no_std]

#[cfg(test)]
extern crate std;

mod heap;
#[cfg(target_os = "none")]
mod host;
mod machine;
#[cfg(target_os = "none")]
pub mod memory;
mod stack;

pub use heap::{CountedHeap, Refused};
#[cfg(target_os = "none")]
pub use host::{panicked, run};
pub use machine::{Console, Machine, Notes, Status, write_all};
pub use stack::{PAINT, high_water};
