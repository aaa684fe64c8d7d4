//! What is done with targets: each run in a fresh process, its answer checked before a number of it counts.
//!
//! In: a plan of cells, cases and models, and what was built. Out: rows — verified, measured, failed or skipped — and
//! counters; in a journal too, where a run can be resumed. Also the parts of a run on several machines, and fuzzing.
//!
//! It uses verdicts (when enough pairs are taken), records, definitions, targets and workspace.

pub mod ci;
pub mod count;
pub mod fuzz;
pub mod measure;
pub mod models;
pub mod pairs;
pub mod plan;
pub mod quality;
pub mod verify;
