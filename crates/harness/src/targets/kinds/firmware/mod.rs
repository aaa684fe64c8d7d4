//! Firmware for an emulated board: objects that are linked with a model and a request, and run in a fresh emulator.
//!
//! A kind of board builds the objects with the compiler of its core and describes them as [`Firmware`]. Whether a model
//! fits the board's memory is the linker's answer.

mod console;
mod error;
mod launch;
mod link;
mod objects;
mod run;
mod waits;

pub(super) use console::{HALTED, MOST, PROMPT, session, test_answer};
pub use error::Error;
pub(super) use error::run_tool;
pub(super) use launch::{Emulated, check_script, link_or_say, of_this_kind, too_large};
pub(super) use link::assemble;
pub use link::{Image, RegionUse, Sections};
pub use objects::{Firmware, Tools};
pub use run::{Exit, OUTPUT_LIMIT, RunOutput, run};
pub(super) use waits::Waits;
