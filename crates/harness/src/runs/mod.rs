//! Operations on targets: each run in a fresh process, its answer checked before its numbers count.
//!
//! In: a plan of cells, cases and models, and the built runners. Out: rows (verified, measured, failed or skipped) and
//! counters; also a journal, so that a run can be resumed. Programs of other engines run beside them. Also the shards of a run on several machines,
//! fuzzing, and images for a real board.
//!
//! It uses verdicts (to decide when enough pairs are measured), records, definitions, targets and workspace.

pub mod board_image;
pub mod ci;
pub mod count;
pub mod fuzz;
pub mod measure;
pub mod models;
pub mod pairs;
pub mod peers;
pub mod plan;
pub mod quality;
pub mod transcript;
pub mod verify;
