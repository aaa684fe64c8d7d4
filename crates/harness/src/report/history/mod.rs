//! How numbers moved over the published runs, up to the one that a report is about.
//!
//! A page knows the runs that started before it and no later ones, so publishing another changes no page but the new
//! one's. Times of two sessions are never compared, not even on one machine: they stand in a chart as points without a
//! line. Counters are compared where everything that they depend on is the same: see [`crate::records::counter`].

pub(in crate::report) mod points;
pub(in crate::report) mod published;
pub(in crate::report) mod tables;

pub use points::{History, LeftOut, PastRun, Point, Quantity};
pub use published::Published;
