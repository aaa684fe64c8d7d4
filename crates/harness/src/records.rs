//! The raw rows of a run, one JSON object a line: what was measured, skipped, verified and what failed.
//!
//! The first row says where everything comes from and the last one how many there are; the report is made from the rows
//! alone. `ci/records.schema.json` describes them.

pub mod lines;
pub mod schema;

use crate::error::Error;
use crate::exit::Exit;
use crate::expected::{Cause, Skip};
use crate::merge;
use crate::provenance::{self, Provenance};
use crate::target::Cell;
use crate::workspace::write_atomic;
use lines::Lines;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

/// Version of the rows' format, in every row. Reading is strict, so whatever a reader of an older version would refuse
/// or take for something else raises it: a new kind of row, a new field, another meaning.
///
/// 1: the first. Rows `layout` and `pair` were added to it without raising it.
/// 2: the last row is `end`, so that a file cut between two rows is not read as a whole one; `run` may say when the run
///    was resumed.
/// 3: `run` says when its commit was made.
pub const SCHEMA: u64 = 3;
/// The oldest version that is read: everything in it still means the same.
pub const OLDEST_SCHEMA: u64 = 1;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    Lower,
    /// Neither: it says how much was done.
    Neutral,
}

/// The metrics that rows may have, with the way that is better.
pub const METRICS: [(&str, Direction); 19] = [
    ("time", Direction::Lower),
    ("instructions", Direction::Lower),
    ("fuel", Direction::Lower),
    ("tokens", Direction::Neutral),
    ("allocations", Direction::Lower),
    ("peak_memory", Direction::Lower),
    ("linear_memory", Direction::Lower),
    ("heap_peak", Direction::Lower),
    ("stack_high_water", Direction::Lower),
    ("static", Direction::Lower),
    ("bytes", Direction::Neutral),
    ("weights", Direction::Neutral),
    // The parts of a generated token, and what reading the clock between them took.
    ("ternary", Direction::Lower),
    ("head", Direction::Lower),
    ("wkv", Direction::Lower),
    ("norms", Direction::Lower),
    ("steps", Direction::Lower),
    ("sampling", Direction::Lower),
    ("clock", Direction::Neutral),
];

/// The metrics that are compared with accepted values: a build gives the same each time. Time has an interval instead,
/// and the parts of a token are there to read.
pub const COUNTERS: [&str; 8] =
    ["instructions", "fuel", "allocations", "peak_memory", "linear_memory", "heap_peak", "stack_high_water", "static"];

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "row", rename_all = "lowercase", deny_unknown_fields)]
pub enum Row {
    /// Where everything below comes from. The first row, and only the first; in a merged file the first of each part.
    Run(Box<Provenance>),
    /// One number of one run of a runner, whose answer was right.
    Sample {
        /// Target.
        target: String,
        /// Variant that really ran.
        variant: String,
        /// Case.
        workload: String,
        /// Digest of the model file.
        model: String,
        /// Which run, from 0.
        sample: u32,
        /// `load`, `prefill`, `decode` or `run`; `profile` for the parts of a decode, `kernel` for a kernel by itself,
        /// whose shape is the workload then.
        phase: String,
        /// What was counted.
        metric: String,
        /// In what.
        unit: String,
        /// Which way is better.
        direction: Direction,
        /// The count over the whole phase.
        value: u64,
    },
    /// Two runs, one after the other, whose answers were right.
    Pair {
        /// Target of both.
        target: String,
        /// Case.
        workload: String,
        /// Digest of the model file.
        model: String,
        /// Names of the two sides that are compared.
        sides: [String; 2],
        /// Whether both runs were of the first side: the noise of the session.
        noise: bool,
        /// Round, from 0; the second one confirms.
        round: u32,
        /// Pair of the round, from 0.
        pair: u32,
        /// Whether the second value was measured before the first.
        second_first: bool,
        /// `prefill` or `decode`.
        phase: String,
        /// What was measured.
        metric: String,
        /// In what.
        unit: String,
        /// The first side's and the second's.
        values: [u64; 2],
    },
    /// The size of something that was built.
    Artifact {
        /// Target.
        target: String,
        /// Variant, where each has its own artifact.
        variant: Option<String>,
        /// File or image.
        name: String,
        /// Section, or `file` for the whole.
        section: String,
        /// Size.
        bytes: u64,
    },
    /// Which way the kernels take for a matrix of a model, or what else has a shape, the same in every layer.
    Layout {
        /// Target.
        target: String,
        /// Variant.
        variant: String,
        /// Name of the model.
        model: String,
        /// The step whose matrix it is, such as `tm.r`.
        matrix: String,
        /// Outputs.
        rows: u64,
        /// Inputs.
        cols: u64,
        /// The algorithm.
        kernel: String,
        /// What becomes of the rows that do not fill a block, `none` where there are none.
        row_tail: String,
        /// What becomes of the columns that do not.
        col_tail: String,
    },
    /// A case whose answer was right.
    Verified {
        /// Target.
        target: String,
        /// Variant.
        variant: String,
        /// Case.
        workload: String,
        /// Steps compared.
        steps: usize,
    },
    /// Something that did not run, and why.
    Skipped {
        /// Target.
        target: String,
        /// Variant.
        variant: String,
        /// Case; none where the whole cell is meant.
        workload: Option<String>,
        /// Kind of reason.
        cause: Cause,
        /// The reason as a sentence.
        reason: String,
        /// Whether `ci/expected.toml` lists it.
        expected: bool,
    },
    /// Something that went wrong.
    Failed {
        /// Target.
        target: String,
        /// Variant.
        variant: String,
        /// Case; none where the whole cell is meant.
        workload: Option<String>,
        /// `build`, `verify` or `bench`.
        during: String,
        /// What happened.
        error: String,
        /// The exit code that it means.
        exit: u8,
    },
}

impl Row {
    /// A row for what went wrong.
    pub fn failed(cell: Cell, workload: Option<&str>, during: &str, error: String, exit: Exit) -> Self {
        Row::Failed {
            target: cell.target.name.into(),
            variant: cell.variant.name.into(),
            workload: workload.map(str::to_string),
            during: during.into(),
            error,
            exit: exit.code(),
        }
    }

    /// A row for what did not run.
    pub fn skipped(cell: Cell, workload: Option<&str>, skip: &Skip, expected: bool) -> Self {
        Row::Skipped {
            target: cell.target.name.into(),
            variant: cell.variant.name.into(),
            workload: workload.map(str::to_string),
            cause: skip.cause,
            reason: skip.reason.clone(),
            expected,
        }
    }
}

/// How many rows passed, failed and were skipped, and what that means for the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Verified cases.
    pub passed: usize,
    /// Failures.
    pub failed: usize,
    /// Skips.
    pub skipped: usize,
    /// The exit code of all together.
    pub exit: Exit,
}

impl Tally {
    /// Counts rows.
    pub fn of(rows: &[Row]) -> Self {
        let mut tally = Tally { passed: 0, failed: 0, skipped: 0, exit: Exit::Pass };
        for row in rows {
            match row {
                Row::Verified { .. } => tally.passed += 1,
                Row::Failed { exit, .. } => {
                    tally.failed += 1;
                    let exit = if *exit == Exit::WrongAnswer.code() { Exit::WrongAnswer } else { Exit::Harness };
                    tally.exit = tally.exit.worst(exit);
                }
                Row::Skipped { expected, .. } => {
                    tally.skipped += 1;
                    tally.exit = tally.exit.worst(if *expected { Exit::Pass } else { Exit::NotMeasurable });
                }
                Row::Run(_) | Row::Sample { .. } | Row::Pair { .. } | Row::Artifact { .. } | Row::Layout { .. } => {}
            }
        }
        tally
    }
}

/// Writes rows as JSON Lines, whole or not at all.
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

/// A run: where it comes from, and its rows without that one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Where it comes from.
    pub provenance: Provenance,
    /// What was measured, skipped, verified and what failed.
    pub rows: Vec<Row>,
}

/// Reads the rows of one run back.
///
/// # Errors
/// For a file that is cut, empty or put together from two, a line of another schema, an unknown field or metric, a number
/// that is no count; [`Error::NotComparable`] where its rows come from two machines or builds; and for a file that was
/// merged from several runs: [`read_parts`] reads those too.
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

/// Reads rows back, run by run: one, or all the parts of a merged file. How that is marked: see [`crate::merge`]. A file
/// is whole, or it is refused.
///
/// # Errors
/// As [`read`], and for a merged file of which a part is missing or out of its place.
pub fn read_parts(path: &Path) -> Result<Vec<Part>, Error> {
    parts_of(Lines::open(path)?)
}

/// [`read_parts`] of the lines of a file.
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
                merge::in_turn(last.map(|part| &part.provenance), &run).map_err(wrong)?;
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

/// The kind of the last row.
const END: &str = "end";
/// What became of a file that ends too soon, and what to do.
const CUT: &str = "cut off: take it once more from where it was made, or measure again";

/// The error for a second `run` row: rows of two runs say nothing together.
fn two_runs(wrong: impl Fn(String) -> Error, first: &Provenance, second: &Provenance) -> Error {
    let advice = "`cargo xtask report --merge` joins the files of runs that belong together";
    match &provenance::differences(&first.key(), &second.key())[..] {
        [] => wrong(format!("a second `run` row: the file is put together from two; {advice}")),
        differences => Error::NotComparable(format!(
            "{}; a second `run` row, of another machine or build; {advice}",
            wrong(differences.join("; "))
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, Tally, read, write};
    use crate::exit::Exit;
    use crate::expected::{Cause, Skip};
    use crate::target::Cell;

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
    fn rows_come_back_as_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        write(&path, &rows()).unwrap();
        assert_eq!(read(&path).unwrap().1, rows()[1..]);
        // The first version had no closing row.
        let text = std::fs::read_to_string(&path).unwrap().replace("\"schema\":3", "\"schema\":1");
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains("\"end\"")).collect();
        std::fs::write(&path, kept.join("\n") + "\n").unwrap();
        assert_eq!(read(&path).unwrap().1, rows()[1..]);
    }

    #[test]
    fn an_expected_skip_is_free_and_a_wrong_answer_outranks_the_rest() {
        let mut rows = rows();
        assert_eq!(Tally::of(&rows), Tally { passed: 1, failed: 0, skipped: 1, exit: Exit::Pass });
        let cell = Cell::named("wasm", "simd128").unwrap();
        let skip = Skip { cause: Cause::Tools, reason: "no compiler".into() };
        rows.push(Row::skipped(cell, None, &skip, false));
        assert_eq!(Tally::of(&rows).exit, Exit::NotMeasurable);
        rows.push(Row::failed(cell, None, "bench", "timed out".into(), Exit::Harness));
        assert_eq!(Tally::of(&rows).exit, Exit::Harness);
        rows.push(Row::failed(cell, None, "verify", "token 3".into(), Exit::WrongAnswer));
        assert_eq!(Tally::of(&rows).exit, Exit::WrongAnswer);
    }
}
