//! The harness: builds every target, verifies each against the golden streams, measures them and reports.
//!
//! It knows targets as processes that speak the line format of `bitstate-protocol`, and kernels only by name. Nothing
//! here depends on the engine, so a wrong engine cannot vouch for itself.
//!
//! Each folder is a room whose `mod.rs` states its input, its output and the rooms it uses. A room uses only those to
//! its right; `tests/rooms.rs` enforces that.
//!
//! ```text
//! selftest ─→ runs ───┐
//!                     ├─→ verdicts ─→ records ─→ definitions ─→ targets ─→ workspace
//!           report ───┘
//! ```
//!
//! A change of time is estimated from pairs of runs, as a ratio with its 95 % interval:
//!
//! ```
//! use bitstate_harness::verdicts::stats::paired::Ratio;
//!
//! // Times of both sides in ten pairs; the second side takes about 10 % longer.
//! let pairs: Vec<(f64, f64)> = (0..10).map(|i| (100.0 + f64::from(i), 110.0 + f64::from(i))).collect();
//! let ratio = Ratio::of(&pairs, 1).expect("pairs of positive times");
//! assert!(ratio.low > 1.09 && ratio.middle < 1.1 && ratio.high <= 1.1);
//! ```

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod definitions;
pub mod records;
pub mod report;
pub mod runs;
pub mod selftest;
pub mod targets;
pub mod verdicts;
pub mod workspace;

pub use workspace::error::Error;
pub use workspace::exit::Exit;
