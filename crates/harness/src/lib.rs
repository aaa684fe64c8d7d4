//! The harness: builds every target, proves each against the golden streams, measures them and reports.
//!
//! It knows targets as processes that speak the line format of `bitstate-protocol`, and kernels only as names:
//! nothing here depends on the engine, so a wrong engine cannot vouch for itself.
//!
//! ```text
//! golden/cases.toml ─┐
//! ci/targets.toml ───┤
//! ci/workloads.toml ─┼─ select ─ build ─ runner ─┬─ verify ──┐
//! ci/expected.toml ──┘                           └─ measure ─┴─ records ─ report
//! ```

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod baseline;
pub mod build;
pub mod callgrind;
pub mod cargo;
pub mod checkout;
pub mod ci;
pub mod comparison;
pub mod counters;
pub mod diagnose;
pub mod environment;
pub mod error;
pub mod exit;
pub mod expected;
pub mod fuzz;
pub mod gate;
pub mod git;
pub mod golden;
pub mod journal;
pub mod measure;
pub mod merge;
pub mod output;
pub mod pairs;
pub mod parts;
pub mod probe;
pub mod process;
pub mod processor;
pub mod progress;
pub mod provenance;
pub mod quality;
pub mod random;
pub mod records;
pub mod report;
pub mod runner;
pub mod sections;
pub mod select;
pub mod selftest;
pub mod setup;
pub mod stats;
pub mod strict;
pub mod target;
pub mod thresholds;
pub mod tools;
pub mod verify;
pub mod workloads;
pub mod workspace;
pub mod xtensa;

pub use error::Error;
pub use exit::Exit;
