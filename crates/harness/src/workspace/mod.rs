//! Paths of the workspace, and running programs.
//!
//! In: the checkout, its environment, the installed programs. Out: paths, files written atomically, the output of
//! programs run within limits, and errors with their exit codes. It knows nothing of targets or records.
//!
//! It uses no other room.

pub mod error;
pub mod exit;
pub mod output;
mod places;
mod programs;
pub mod progress;
pub mod strict;
pub mod time;

pub use places::files::{make_folder, read_text, temporary_file, write_atomic};
pub use places::folders::Workspace;
pub use places::{checkout, git, lock, sweep};
pub use programs::{cargo, environment, log, process, processor, setup, tools};
