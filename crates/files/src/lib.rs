//! Files written whole or not at all, and read up to a limit.
#![forbid(unsafe_code)]

mod read;
mod write;

pub use read::{read, read_from};
pub use write::{WriteError, sweep, write_whole};
