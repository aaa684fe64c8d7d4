//! The objects of a board, and the programs that link and run them.

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
