//! Where things lie and how programs are run.
//!
//! In: the checkout, its environment, the programs that are installed. Out: paths, files that are written whole or not at
//! all, what a program said within its limits, and errors with their exit codes. Knows nothing of targets or records.
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
