//! The numbers of a run's rows, summarised.

pub(in crate::report) mod measurements;
mod peers;
pub(in crate::report) mod report;

pub use measurements::Measurement;
pub use peers::Peer;
pub use report::{Artifact, Failure, Layout, Report, SCHEMA, Skipped};
