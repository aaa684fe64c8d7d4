//! The Xtensa target: the firmware built, linked with a model and a request, and run under QEMU.
//!
//! ```no_run
//! # use bitstate_harness::target::{Kind, Target};
//! # use bitstate_harness::xtensa::{Toolchain, build, run};
//! # use bitstate_harness::workspace::Workspace;
//! # use std::{path::Path, time::Duration};
//! # fn main() -> Result<(), bitstate_harness::xtensa::Error> {
//! # let Some(Kind::QemuXtensa(board)) = Target::named("xtensa").map(|target| &target.kind) else { return Ok(()) };
//! let tools = Toolchain::find()?;
//! let firmware = build(&tools, board, &Workspace::find()?, Path::new("target/xtensa"))?;
//! let image = firmware.link(Path::new("model.bits"), Path::new("request.txt"), Path::new("target/run.elf"))?;
//! let output = run(&tools, &image, Duration::from_secs(60))?;
//! # Ok(())
//! # }
//! ```
//!
//! The compiler's back end for this architecture is young: what it gets wrong, and which of the steps here goes
//! round it, is in `crates/runners/xtensa/README.md`.

mod build;
mod error;
mod link;
mod literals;
mod run;
mod toolchain;

pub use build::{Firmware, build};
pub use error::Error;
pub use link::{Image, RegionUse, Sections};
pub use run::{Exit, OUTPUT_LIMIT, RunOutput, run};
pub use toolchain::{MissingTool, MissingTools, Toolchain};
