//! Totals over rows.

use super::rows::Row;
use crate::workspace::exit::Exit;

/// How many rows passed, failed and were skipped, and the exit code that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Verified cases.
    pub passed: usize,
    /// Failures.
    pub failed: usize,
    /// Skips.
    pub skipped: usize,
    /// The exit code of all rows together.
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
                Row::Run(_)
                | Row::Sample { .. }
                | Row::Pair { .. }
                | Row::Peer { .. }
                | Row::Artifact { .. }
                | Row::Layout { .. } => {}
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use crate::records::rows::Row;
    use crate::targets::Cell;
    use crate::targets::skip::{Cause, Skip};
    use crate::workspace::exit::Exit;

    fn rows() -> Vec<Row> {
        let cell = Cell::named("xtensa", "lut").unwrap();
        let skip = Skip { cause: Cause::Memory, reason: "9.1 MB does not fit 8 MB PSRAM".into() };
        vec![
            Row::skipped(cell, Some("default/greedy"), &skip, true),
            Row::Verified { target: "native".into(), variant: "avx2".into(), workload: "a".into(), steps: 3 },
        ]
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
