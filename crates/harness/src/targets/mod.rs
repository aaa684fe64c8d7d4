//! What can be asked: the targets of `ci/targets.toml`, built, and run one request at a time.
//!
//! In: `ci/targets.toml`, a request and a model. Out: cells (a target with a variant), what was built or why not, and an
//! answer that was checked to be about what was asked; sizes of what was built. A kind of target is one folder in
//! `kinds/`, and no other room knows which kinds there are.
//!
//! It uses workspace.

mod ask;
pub mod build;
mod defined;
mod file;
mod kind;
pub mod kinds;
pub mod runner;
pub mod skip;
mod target;

pub use ask::{Ask, ModelFile, RunError, model_file};
pub use defined::{assumption, check, load, targets, tools};
pub use kind::{Answered, Artifact, Clock, EmulatedCpu, Kind, Launch, Variant};
pub use kinds::native::callgrind;
pub use target::{Cell, Target};
