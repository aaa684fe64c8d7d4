//! Records: the rows of a run with their provenance, read back strictly or not at all.
//!
//! In: rows and provenance, records files of this or other machines. Out: `records.jsonl`, its schema, the journal of a
//! run that can be resumed, merged runs, and the counters that rows hold. It judges nothing.
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
