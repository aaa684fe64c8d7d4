//! The gate: counters compared with their baseline, row by row. A row missing on either side is an error, never a pass.

mod finding;
mod judge;
#[cfg(test)]
mod tests;

pub use finding::{Finding, PartChange, Status};
pub use judge::{Scope, differing_key, exit, judge, take_unaccepted};
