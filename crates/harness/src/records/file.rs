//! Files of records: written, and read back strictly.

use super::lines::{self, Lines};
use super::provenance::{self, Provenance};
use super::rows::{END, Row, SCHEMA};
use crate::workspace::error::Error;
use crate::workspace::write_atomic;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes rows as JSON Lines, atomically.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, rows: &[Row]) -> Result<(), Error> {
    let malformed =
        |error: serde_json::Error| Error::Malformed { path: path.to_path_buf(), message: error.to_string() };
    write_atomic(path, to_text(rows).map_err(malformed)?.as_bytes())
}

/// Rows as JSON Lines, with the closing row.
///
/// # Errors
/// If a row has no JSON form.
pub fn to_text(rows: &[Row]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    let rows = rows.iter().map(serde_json::to_value).chain([Ok(json!({"row": END, "rows": rows.len()}))]);
    for row in rows {
        let mut row = row?;
        row["schema"] = SCHEMA.into();
        text += &row.to_string();
        text.push('\n');
    }
    Ok(text)
}

/// Name of the records file in a run's folder.
pub const RECORDS: &str = "records.jsonl";
/// The same, compressed.
pub const PACKED: &str = "records.jsonl.gz";

/// The records file of a run that a user names by file or by folder.
pub fn records_of(path: &Path) -> PathBuf {
    let in_folder = |name: &str| Some(path.join(name)).filter(|file| file.is_file());
    match path.is_dir() {
        true => in_folder(RECORDS).or_else(|| in_folder(PACKED)).unwrap_or_else(|| path.join(RECORDS)),
        false => path.to_path_buf(),
    }
}

/// Compresses the records in a run's folder with gzip, if they are not yet.
///
/// # Errors
/// If they cannot be read, or the compressed file cannot be written.
pub fn pack(folder: &Path) -> Result<(), Error> {
    let (plain, packed) = (folder.join(RECORDS), folder.join(PACKED));
    if !plain.is_file() {
        return Ok(());
    }
    let text = std::fs::read(&plain).map_err(Error::io("read", &plain))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let bytes = encoder.write_all(&text).and_then(|()| encoder.finish()).map_err(Error::io("pack", &plain))?;
    write_atomic(&packed, &bytes)?;
    std::fs::remove_file(&plain).map_err(Error::io("remove", &plain))
}

/// Writes a run's records into another folder, uncompressed.
///
/// # Errors
/// If they cannot be read, or the file cannot be written.
pub fn unpack(folder: &Path, into: &Path) -> Result<(), Error> {
    let mut text = String::new();
    for line in Lines::open(&records_of(folder))? {
        let line = line?;
        text += &line.text;
        text.push_str(if line.whole { "\n" } else { "" });
    }
    write_atomic(&into.join(RECORDS), text.as_bytes())
}

/// A run: its provenance and its other rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Its provenance.
    pub provenance: Provenance,
    /// Its samples, skips, verified cases and failures.
    pub rows: Vec<Row>,
}

/// Reads the rows of one run.
///
/// # Errors
/// For a file that is truncated, empty or concatenated from two, a line of another schema, an unknown field or metric,
/// a count that is not a whole number; [`Error::NotComparable`] if its rows come from two machines or builds; and for a
/// file merged from several runs, which [`read_parts`] reads too.
pub fn read(path: &Path) -> Result<(Provenance, Vec<Row>), Error> {
    let mut parts = read_parts(path)?;
    match (parts.pop(), parts.is_empty()) {
        (Some(part), true) => Ok((part.provenance, part.rows)),
        _ => {
            let message = "it was merged from several runs, and one is needed here".into();
            Err(Error::Malformed { path: path.to_path_buf(), message })
        }
    }
}

/// Reads rows run by run: one run, or all parts of a merged file, marked as [`super::merge`] describes. An incomplete
/// file is refused.
///
/// # Errors
/// As [`read`], and for a merged file with a part missing or out of order.
pub fn read_parts(path: &Path) -> Result<Vec<Part>, Error> {
    parts_of(Lines::open(path)?)
}

/// [`read_parts`] for the lines of a file.
///
/// # Errors
/// As [`read_parts`].
pub fn parts_of(mut lines: Lines) -> Result<Vec<Part>, Error> {
    let mut parts: Vec<Part> = Vec::new();
    let (mut version, mut ended) = (None, false);
    while let Some(line) = lines.next().transpose()? {
        let wrong = |message: String| lines.malformed(&message);
        if !line.whole {
            return Err(wrong(format!("it ends in the middle, so the file was {CUT}")));
        }
        let (of, fields) = lines::versioned(&line.text, version).map_err(wrong)?;
        version = Some(of);
        if fields["row"] == END && of > 1 && !ended {
            if fields["rows"].as_u64() != Some(line.number as u64 - 1) {
                let (said, found) = (&fields["rows"], line.number - 1);
                return Err(wrong(format!("the file had {said} rows and has {found}: rows were lost or added")));
            }
            ended = true;
            continue;
        }
        match (lines::row(fields).map_err(wrong)?, parts.last_mut()) {
            (Row::Run(second), Some(first)) if second.shard.is_none() => {
                return Err(two_runs(wrong, &first.provenance, &second));
            }
            _ if ended => return Err(wrong(format!("it follows the closing row `{END}`, so it was added later"))),
            (Row::Run(run), last) => {
                in_turn(last.map(|part| &part.provenance), &run).map_err(wrong)?;
                parts.push(Part { provenance: *run, rows: Vec::new() });
            }
            (row, Some(part)) => part.rows.push(row),
            (_, None) => return Err(wrong("it is not a `run` row, which is the first of a file".into())),
        }
    }
    let Some(last) = parts.last() else {
        return Err(lines.malformed("the file is empty: measure again, or take it from where it was made"));
    };
    if version > Some(1) && !ended {
        return Err(lines.malformed(&format!("there is no closing row `{END}`, so the file was {CUT}")));
    }
    if let Some(shard) = last.provenance.shard.as_ref().filter(|shard| shard.index != shard.of) {
        return Err(lines.malformed(&format!("it ends with part {} of {}", shard.index, shard.of)));
    }
    Ok(parts)
}

/// What happened to a truncated file, and how to fix it.
const CUT: &str = "truncated: copy it again from where it was made, or measure again";

/// The error for a second `run` row: rows of two runs are not comparable.
fn two_runs(wrong: impl Fn(String) -> Error, first: &Provenance, second: &Provenance) -> Error {
    let advice = "`cargo xtask report --merge` joins the files of runs that belong together";
    match &provenance::differences(&first.key(), &second.key())[..] {
        [] => wrong(format!("a second `run` row: the file is concatenated from two; {advice}")),
        differences => Error::NotComparable(format!(
            "{}; a second `run` row, of another machine or build; {advice}",
            wrong(differences.join("; "))
        )),
    }
}

/// What is wrong with a `run` row given the one before it, if anything.
fn in_turn(before: Option<&Provenance>, run: &Provenance) -> Result<(), String> {
    match (before.map(|before| &before.shard), &run.shard) {
        (None, None) => Ok(()),
        (None, Some(shard)) if shard.index == 1 => Ok(()),
        (Some(Some(last)), Some(shard)) if (shard.index, shard.of) == (last.index + 1, last.of) => Ok(()),
        (_, Some(shard)) => {
            let last = before
                .and_then(|before| before.shard.as_ref())
                .map_or("nothing".into(), |last| format!("part {} of {}", last.index, last.of));
            Err(format!("part {} of {} follows {last}", shard.index, shard.of))
        }
        _ => Err("a second `run` row: two runs in one file are distinguished only where `cargo xtask report --merge` \
                  joined them"
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{PACKED, RECORDS, pack, read, records_of, write};
    use crate::records::rows::{Row, SCHEMA};
    use crate::targets::Cell;
    use crate::targets::skip::{Cause, Skip};

    fn rows() -> Vec<Row> {
        let cell = Cell::named("xtensa", "lut").unwrap();
        let skip = Skip { cause: Cause::Memory, reason: "9.1 MB does not fit 8 MB PSRAM".into() };
        vec![
            Row::Run(Box::default()),
            Row::skipped(cell, Some("default/greedy"), &skip, true),
            Row::Verified { target: "native".into(), variant: "avx2".into(), workload: "a".into(), steps: 3 },
        ]
    }

    #[test]
    fn rows_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        write(&path, &rows()).unwrap();
        assert_eq!(read(&path).unwrap().1, rows()[1..]);
        // The first version had no closing row.
        let text = std::fs::read_to_string(&path).unwrap().replace(&format!("\"schema\":{SCHEMA}"), "\"schema\":1");
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains("\"end\"")).collect();
        std::fs::write(&path, kept.join("\n") + "\n").unwrap();
        assert_eq!(read(&path).unwrap().1, rows()[1..]);
    }

    #[test]
    fn compressed_records_are_read_back_and_truncated_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(records_of(folder), folder.join(RECORDS), "the name in an error");
        write(&folder.join(RECORDS), &rows()).unwrap();
        pack(folder).unwrap();
        assert_eq!(records_of(folder), folder.join(PACKED));
        assert!(!folder.join(RECORDS).exists());
        assert_eq!(read(&folder.join(PACKED)).unwrap().1, rows()[1..]);
        pack(folder).unwrap();
        let packed = std::fs::read(folder.join(PACKED)).unwrap();
        let after = [&packed[..], b"more"].concat();
        for bad in [&packed[..packed.len() / 2], &packed[..packed.len() - 1], &after, b"", b"plain"] {
            std::fs::write(folder.join(PACKED), bad).unwrap();
            let error = read(&folder.join(PACKED)).unwrap_err();
            assert_eq!(error.exit().code(), 2);
            assert!(error.to_string().contains("records.jsonl.gz"), "{error}");
        }
    }
}
