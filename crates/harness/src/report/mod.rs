//! Reports: generated from the rows of a run alone, at any time.
//!
//! In: rows of a run, those of the published runs before it, accepted counters. Out: one structure with all numbers;
//! from that tables, charts, pages in Markdown and HTML, and the README's results; folders of runs, and which of their
//! files are not current. It measures nothing and judges nothing.
//!
//! It uses verdicts, records, definitions, targets and workspace.

pub mod charts;
mod folder;
pub mod history;
mod pages;
mod summary;
pub mod tables;

pub use folder::{Holds, check, kept, outdated, place, published, read, render, shown, site, write};
pub use pages::{html, markdown};
pub use summary::{Artifact, Failure, Layout, Measurement, Peer, Report, SCHEMA, Skipped};
pub use tables::overview;
