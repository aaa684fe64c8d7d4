//! What is written down: the rows of a run with where they come from, read back strictly or not at all.
//!
//! In: rows and provenance, files of them from here or from other machines. Out: `records.jsonl`, its schema, the journal
//! of a run that can be resumed, runs merged into one file, and the counters that rows hold. Judges nothing.
//!
//! It uses definitions, targets and workspace.

pub mod counter;
mod file;
pub mod journal;
pub mod lines;
pub mod merge;
pub mod provenance;
mod rows;
pub mod schema;
mod tally;

pub use file::{PACKED, Part, RECORDS, pack, parts_of, read, read_parts, records_of, to_text, unpack, write};
pub use rows::{OLDEST_SCHEMA, Row, SCHEMA};
pub use tally::Tally;
