//! Targets: read from `ci/targets.toml`, built, and run one request at a time.
//!
//! In: `ci/targets.toml`, a request and a model. Out: cells (a target with a variant), built runners or the reason for
//! their absence, answers checked to match the request, and sizes of artifacts. A kind of target is one folder in
//! `kinds/`, and no other room knows which kinds exist.
//!
//! It uses workspace.

pub mod build;
mod cache;
mod defined;
mod file;
mod kind;
pub mod kinds;
mod request;
pub mod runner;
pub mod skip;
mod target;

pub use cache::Cache;
pub use defined::{check, clock_model, load, targets, tools};
pub use kind::{Answered, Artifact, BoardImage, Clock, EmulatedCpu, Flash, Kind, Launch, Variant};
pub use kinds::native::callgrind;
pub use request::{ModelFile, RunError, RunRequest, model_file};
pub use target::{Cell, Target};
