//! Reads JSON Lines from a file that may be truncated, concatenated or forged; an error names the line.

use super::rows::{OLDEST_SCHEMA, Row, SCHEMA};
use crate::definitions::metrics::METRICS;
use crate::workspace::error::{Error, nearest};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line that is accepted, in bytes. The longest that is written, the `run` row, has some 3 kB.
pub const LONGEST_LINE: usize = 1 << 20;

/// A line of a file.
#[derive(Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// Its text, without the newline.
    pub text: String,
    /// Whether it ends with a newline; only the last line of a truncated file does not.
    pub whole: bool,
}

/// The lines of a file, one in memory at a time.
pub struct Lines {
    path: PathBuf,
    reader: BufReader<Box<dyn Read>>,
    number: usize,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("path", &self.path).field("number", &self.number).finish_non_exhaustive()
    }
}

impl Lines {
    /// Opens a file; one whose name ends with `.gz` is decompressed while reading.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        if path.extension().is_some_and(|ending| ending == "gz") {
            return Ok(Lines::of(path, MultiGzDecoder::new(file)));
        }
        Ok(Lines::of(path, file))
    }

    /// The lines of a reader; errors name it `path`.
    pub fn of(path: &Path, reader: impl Read + 'static) -> Self {
        Lines { path: path.to_path_buf(), reader: BufReader::new(Box::new(reader)), number: 0 }
    }

    /// An error about the line that was read last.
    pub fn malformed(&self, message: &str) -> Error {
        let message = format!("line {}: {message}", self.number.max(1));
        Error::Malformed { path: self.path.clone(), message }
    }
}

impl Iterator for Lines {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        let mut limited = self.reader.by_ref().take(LONGEST_LINE as u64 + 1);
        self.number += 1;
        match limited.read_until(b'\n', &mut bytes) {
            Err(source) => return Some(Err(Error::Io { action: "read", path: self.path.clone(), source })),
            Ok(0) => return None,
            Ok(_) => {}
        }
        let whole = bytes.last() == Some(&b'\n');
        if bytes.len() > LONGEST_LINE {
            let message =
                format!("it is longer than {LONGEST_LINE} bytes, which no row is: this is not a file of records");
            return Some(Err(self.malformed(&message)));
        }
        bytes.truncate(bytes.len() - usize::from(whole));
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            // A truncated line may end inside a character.
            Err(error) if !whole => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            Err(error) => {
                let message = format!("byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1);
                return Some(Err(self.malformed(&message)));
            }
        };
        Some(Ok(Line { number: self.number, text, whole }))
    }
}

/// Removes the version from a line; the rest is the row. `expected` is the version of the lines before it.
///
/// # Errors
/// The message, without file and line.
pub fn versioned(text: &str, expected: Option<u64>) -> Result<(u64, Value), String> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| no_json(text, &error))?;
    let fields = value.as_object_mut().ok_or("it is not a JSON object, so it is not a row")?;
    let found = fields.remove("schema").ok_or("it has no `schema`, the version of its format, so it is not a row")?;
    let known = |version: &u64| (OLDEST_SCHEMA..=SCHEMA).contains(version);
    let Some(version) = found.as_u64().filter(known) else {
        return Err(format!(
            "its `schema` is {found}, and this build reads {OLDEST_SCHEMA} to {SCHEMA}: read the file with the build \
             that wrote it, or measure again with this one"
        ));
    };
    match expected {
        Some(expected) if expected != version => Err(format!(
            "its `schema` is {version}, that of the lines before it is {expected}: the file is concatenated from two; \
             `cargo xtask report --merge` joins whole files"
        )),
        _ => Ok((version, value)),
    }
}

/// A row from its fields.
///
/// # Errors
/// The message, without file and line.
pub fn row(fields: Value) -> Result<Row, String> {
    for (name, value) in fields.as_object().into_iter().flatten() {
        let numbers = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        if let Some(number) = numbers.iter().find(|number| number.is_number() && !number.is_u64()) {
            return Err(format!("`{name}` is {number}, and a count is a whole number from 0 to 2^64 - 1"));
        }
    }
    let row: Row = serde_json::from_value(fields).map_err(|error| error.to_string())?;
    if let Row::Sample { metric, .. } | Row::Pair { metric, .. } = &row
        && !METRICS.iter().any(|(known, _)| known == metric)
    {
        let near = nearest(metric, METRICS.iter().map(|(name, _)| *name));
        let hint = near.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        return Err(format!("there is no metric `{metric}`{hint}"));
    }
    Ok(row)
}

/// The error for a text that is not JSON, with the column where parsing stopped.
fn no_json(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it ends in the middle of a row".into();
    }
    let rest: String = text.chars().skip(error.column().saturating_sub(1)).take(24).collect();
    format!("it is not JSON from column {} on: `{rest}`", error.column())
}
