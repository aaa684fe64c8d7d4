//! The gate: counters against their accepted values, row by row. What is missing on either side is an error, never a
//! pass.

mod finding;
mod judge;
#[cfg(test)]
mod tests;

pub use finding::{Finding, PartChange, Status};
pub use judge::{Scope, differing_key, exit, judge, take_unaccepted};
