//! Files written atomically, and read up to a size limit.
//!
//! ```
//! use std::io::Write;
//!
//! let folder = std::env::temp_dir().join(format!("bitstate-files-{}", std::process::id()));
//! std::fs::create_dir_all(&folder)?;
//! let path = folder.join("note.txt");
//! bitstate_files::write_whole(&path, |file| file.write_all(b"ternary"))?;
//! assert_eq!(bitstate_files::read(&path, 7)?, b"ternary");
//! // A file larger than the limit is an error.
//! assert!(bitstate_files::read(&path, 6).is_err());
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod read;
mod write;

pub use read::{read, read_from};
pub use write::{WriteError, sweep, write_whole};
