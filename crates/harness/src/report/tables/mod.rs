//! The tables of a report as text, which Markdown, HTML and the README only format.

mod all;
mod cells;
mod composite;
pub(in crate::report) mod join;
pub(in crate::report) mod kernels;
pub(in crate::report) mod numbers;
pub mod overview;
mod peers;
mod roof;
pub(in crate::report) mod table;

pub use all::{all, comparisons, first};
pub use numbers::{bytes, number, percent};
pub use peers::table as peers;
pub use roof::{DEFINITION, Roof};
pub use table::Table;
