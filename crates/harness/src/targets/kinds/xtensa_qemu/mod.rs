//! Firmware for an Xtensa core, linked with a model and a request and run under QEMU; it contains all variants.
//!
//! ```no_run
//! # use bitstate_harness::targets::kinds::xtensa_qemu::{Board, Error, Toolchain, build, run};
//! # use bitstate_harness::workspace::Workspace;
//! # use std::{path::Path, time::Duration};
//! # fn image(board: &'static Board) -> Result<(), Error> {
//! let tools = Toolchain::find()?;
//! let firmware = build(&tools, board, &Workspace::find()?, Path::new("target/xtensa"))?;
//! let image = firmware.link(Path::new("model.bits"), Path::new("request.txt"), Path::new("target/run.elf"))?;
//! let output = run(&tools, &image, Duration::from_secs(60))?;
//! # Ok(())
//! # }
//! ```
//!
//! The compiler's back end for this architecture is young: `crates/runners/xtensa/README.md` lists its bugs, and the
//! steps here that work around them.

mod board;
mod build;
mod error;
mod launch;
mod link;
mod literals;
mod run;
mod toolchain;

pub use board::Board;
pub use build::{Firmware, RUST_FLAGS, build};
pub use error::Error;
pub use link::{Image, RegionUse, Sections};
pub use run::{Exit, OUTPUT_LIMIT, RunOutput, run};
pub use toolchain::{MissingTool, MissingTools, Toolchain};
