//! The raw rows of a run, one JSON object a line: what was measured, skipped, verified and what failed.
//!
//! The first row says where everything comes from and the last one how many there are; the report is made from the rows
//! alone. `ci/records.schema.json` describes them.

use super::provenance::Provenance;
use crate::definitions::metrics::Direction;
use crate::targets::Cell;
use crate::targets::skip::{Cause, Skip};
use crate::workspace::exit::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the rows' format, in every row. Reading is strict, so whatever a reader of an older version would refuse
/// or take for something else raises it: a new kind of row, a new field, another meaning.
///
/// 1: the first. Rows `layout` and `pair` were added to it without raising it.
/// 2: the last row is `end`, so that a file cut between two rows is not read as a whole one; `run` may say when the run
///    was resumed.
/// 3: `run` says when its commit was made.
/// 4: `layout` may say how many of a matrix a token goes through.
pub const SCHEMA: u64 = 4;
/// The oldest version that is read: everything in it still means the same.
pub const OLDEST_SCHEMA: u64 = 1;
/// The kind of the last row.
pub(super) const END: &str = "end";

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
        /// How many of it a token goes through.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
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
