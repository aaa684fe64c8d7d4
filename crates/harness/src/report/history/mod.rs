//! How numbers changed over the published runs, up to the run of a report.
//!
//! A page includes only runs that started before it, so publishing another run changes no existing page. Times of two
//! sessions are never compared, not even on one machine: charts show them as points without a line. Counters are
//! compared if everything that they depend on is the same: see [`crate::records::counter`].

pub(in crate::report) mod points;
pub(in crate::report) mod published;
pub(in crate::report) mod tables;

pub use points::{History, LeftOut, PastRun, Point, Quantity};
pub use published::Published;
