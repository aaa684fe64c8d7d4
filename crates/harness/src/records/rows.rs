//! The raw rows of a run, one JSON object a line: samples, sizes, skips, verified cases and failures.
//!
//! The first row is the provenance and the last one the number of rows; the report is made from the rows alone.
//! `ci/records.schema.json` describes them.

use super::provenance::Provenance;
use crate::definitions::metrics::Direction;
use crate::targets::Cell;
use crate::targets::skip::{Cause, Skip};
use crate::workspace::exit::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the row format, in every row. Reading is strict, so any change that a reader of an older version would
/// refuse or misread raises it: a new kind of row, a new field, another meaning.
///
/// 1: the first. Rows `layout` and `pair` were added to it without raising it.
/// 2: the last row is `end`, so that a file truncated between two rows is detected; `run` may record when the run was
///    resumed.
/// 3: `run` has the commit date.
/// 4: `layout` may say how many of a matrix a token goes through.
/// 5: rows `peer`.
pub const SCHEMA: u64 = 5;
/// The oldest version that is read: everything in it still has the same meaning.
pub const OLDEST_SCHEMA: u64 = 1;
/// The kind of the last row.
pub(super) const END: &str = "end";

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "row", rename_all = "lowercase", deny_unknown_fields)]
pub enum Row {
    /// The provenance of the rows below. Only the first row; in a merged file the first of each part.
    Run(Box<Provenance>),
    /// One number of one run of a runner whose answer was right.
    Sample {
        /// Target.
        target: String,
        /// Variant that actually ran.
        variant: String,
        /// Case.
        workload: String,
        /// Digest of the model file.
        model: String,
        /// Index of the run, from 0.
        sample: u32,
        /// `load`, `prefill`, `decode` or `run`; `profile` for the parts of a decode, `kernel` for a single kernel,
        /// whose shape is the workload then.
        phase: String,
        /// Metric.
        metric: String,
        /// Unit.
        unit: String,
        /// Direction of an improvement.
        direction: Direction,
        /// The count over the whole phase.
        value: u64,
    },
    /// Two consecutive runs whose answers were right.
    Pair {
        /// Target of both.
        target: String,
        /// Case.
        workload: String,
        /// Digest of the model file.
        model: String,
        /// Names of the two sides that are compared.
        sides: [String; 2],
        /// Whether both runs were of the first side, to measure the noise of the session.
        noise: bool,
        /// Round, from 0; the second one confirms the first.
        round: u32,
        /// Pair of the round, from 0.
        pair: u32,
        /// Whether the second value was measured before the first.
        second_first: bool,
        /// `prefill` or `decode`.
        phase: String,
        /// Metric.
        metric: String,
        /// Unit.
        unit: String,
        /// The values of the first and the second side.
        values: [u64; 2],
    },
    /// This engine and another one in the same round, each in a process of its own.
    Peer {
        /// Target of this engine.
        target: String,
        /// Its variant: the fastest of the run.
        variant: String,
        /// Case.
        workload: String,
        /// Digest of the model file, whose shape the peer's network has.
        model: String,
        /// Name of the other engine.
        peer: String,
        /// How its network differs from this one.
        network: String,
        /// Round, from 0.
        round: u32,
        /// Unit.
        unit: String,
        /// The cost of this engine, and of the other.
        values: [u64; 2],
    },
    /// The size of a build artifact.
    Artifact {
        /// Target.
        target: String,
        /// Variant, where each has its own artifact.
        variant: Option<String>,
        /// File or image.
        name: String,
        /// Section, or `file` for the whole.
        section: String,
        /// Size in bytes.
        bytes: u64,
    },
    /// The kernel chosen for a matrix of a model, or for another shape; the same in every layer.
    Layout {
        /// Target.
        target: String,
        /// Variant.
        variant: String,
        /// Name of the model.
        model: String,
        /// The step that uses the matrix, such as `tm.r`.
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
        /// How rows that do not fill a block are computed; `none` if there are none.
        row_tail: String,
        /// How columns that do not fill a block are computed.
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
        /// Number of steps compared.
        steps: usize,
    },
    /// Something that did not run, and why.
    Skipped {
        /// Target.
        target: String,
        /// Variant.
        variant: String,
        /// Case; none if the whole cell was skipped.
        workload: Option<String>,
        /// Kind of reason.
        cause: Cause,
        /// The reason as text.
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
        /// Case; none if the whole cell failed.
        workload: Option<String>,
        /// `build`, `verify` or `bench`.
        during: String,
        /// What happened.
        error: String,
        /// The resulting exit code.
        exit: u8,
    },
}

impl Row {
    /// A row for a failure.
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

    /// A row for a skip.
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
