//! Firmware for an emulated board: objects that are linked with a model and a request, and run in a fresh emulator.
//!
//! A kind of board builds the objects with the compiler of its core and describes them as [`Firmware`]. Whether a model
//! fits the board's memory is the linker's answer.

mod error;
mod launch;
mod link;
mod run;
mod waits;

pub use error::Error;
pub(super) use error::run_tool;
pub(super) use launch::{Emulated, check_script};
pub(super) use link::assemble;
pub use link::{Image, RegionUse, Sections};
pub use run::{Exit, OUTPUT_LIMIT, RunOutput, run};
pub use waits::Cache;
pub(super) use waits::Waits;

use std::path::PathBuf;

/// The programs that link an image and run it.
#[derive(Debug, Clone)]
pub struct Tools {
    /// LLVM's assembler.
    pub assembler: PathBuf,
    /// The triple of the core, for the assembler.
    pub triple: &'static str,
    /// The linker, GNU's or LLVM's.
    pub linker: PathBuf,
    /// Its flags for this core.
    pub linker_flags: &'static [&'static str],
    /// GNU's or LLVM's `size`.
    pub size: PathBuf,
    /// The emulator, and its options for the board.
    pub emulator: (PathBuf, Vec<String>),
}

/// The objects of a board, to be linked with a model and a request.
#[derive(Debug, Clone)]
pub struct Firmware {
    /// What links and runs it.
    pub tools: Tools,
    /// The linker script, with the memory map.
    pub script: PathBuf,
    /// The objects and libraries.
    pub objects: Vec<PathBuf>,
}
