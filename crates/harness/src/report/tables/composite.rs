//! How near a decode comes to what its kernels and its memory allow, part by part.

use super::numbers::{number, percent};
use super::table::Table;
use crate::definitions::metrics::PARTS;
use crate::report::summary::report::{Layout, Report};
use crate::targets::{Cell, Clock};

/// The least time that a token can take, in µs, from rates that were measured in the same run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Composite {
    /// Every ternary matrix at the variant's own best rate for its shape, and no faster than its bytes are read.
    pub ternary: f64,
    /// The state of the recurrence, read and written.
    pub state: f64,
    /// What the head reads.
    pub head: f64,
}

/// What is said beside every share of this roof.
const DEFINITION: &str = "The composite roof is the minimum time of a token according to rates measured in the same \
    run: every ternary matrix at this variant's own best rate for its shape (the kernels' table, one token), the \
    state read and written once and the head's bytes read once. Before anything is read again, the rest of a token was \
    read, so nothing is faster than the bandwidth of the fastest variant of the same target for a buffer of about the \
    size of all of it. A greedy choice of a variant with a first stage reads half of the head and 8 bytes per row. \
    Norms, gates and the choice among logits are not counted, so 100 % cannot be reached; the difference shows what \
    could be optimised.";

impl Composite {
    /// All of it, in µs.
    pub fn sum(&self) -> f64 {
        self.ternary + self.state + self.head
    }

    /// In the order of [`PARTS`].
    pub(in crate::report) fn parts(&self) -> Vec<f64> {
        let part = |name| match name {
            "ternary" => self.ternary,
            "wkv" => self.state,
            "head" => self.head,
            _ => 0.0,
        };
        PARTS.iter().map(|(name, _)| part(*name)).collect()
    }
}

impl Report {
    /// The composite roof of a decode; none where a rate is missing, or the run does not say how many matrices there are.
    pub fn composite(&self, cell: (&str, &str), workload: &str) -> Option<Composite> {
        let (model, case) = workload.split_once('/')?;
        let layouts = self
            .layouts
            .iter()
            .filter(|l| (l.target.as_str(), l.variant.as_str(), l.model.as_str()) == (cell.0, cell.1, model));
        let (mut matrices, mut state, mut head, mut top) = (Vec::new(), None, None, None);
        for layout in layouts {
            match layout.matrix.as_str() {
                "head" => head = Some(layout),
                "head.top" => top = Some(layout),
                "wkv" => state = Some(layout),
                "vectors" => {}
                _ => {
                    let all = weights(layout)? * layout.count? as f64;
                    matrices.push((all / WEIGHTS_PER_BYTE, all / (self.ternary_rate(cell, layout)? * 1e3)));
                }
            }
        }
        let state = state?;
        let state = 4.0 * weights(state)? * state.count? as f64;
        let (head, top) = (head?, top?);
        let two_stages = case.ends_with("greedy") && top.kernel == "two stages";
        let head = match head.kernel.as_str() {
            // f32 rows, which have no bounds.
            "16 lanes" => 4.0 * weights(head)?,
            _ if two_stages => weights(head)? / 2.0 + 8.0 * head.rows as f64,
            _ => weights(head)?,
        };
        let read = state + head + matrices.iter().map(|(bytes, _)| bytes).sum::<f64>();
        let rate = self.roof(cell.0, read)?.rate;
        let microseconds = |bytes: f64| bytes / (rate * 1e3);
        let ternary = matrices.iter().map(|&(bytes, computed)| microseconds(bytes).max(computed)).sum();
        let composite = Composite { ternary, state: microseconds(2.0 * state), head: microseconds(head) };
        (composite.ternary > 0.0).then_some(composite)
    }

    /// The composite roof over the time that a token of a decode took.
    pub fn composite_share(&self, cell: (&str, &str), workload: &str) -> Option<f64> {
        let throughput = self.find(cell, workload, "decode", "throughput")?.median;
        Some(self.composite(cell, workload)?.sum() * throughput / 1e6)
    }

    /// G weights/s of a variant for one token and a matrix of this shape, or the one nearest in size that was measured.
    fn ternary_rate(&self, (target, variant): (&str, &str), layout: &Layout) -> Option<f64> {
        let of_cell = self.measurements.iter().filter(|m| (m.target.as_str(), m.variant.as_str()) == (target, variant));
        let rates = of_cell.filter(|m| m.metric == "rate").filter_map(|m| {
            let shape = m.workload.strip_prefix("ternary/")?.strip_suffix("/1")?;
            let (rows, cols) = shape.split_once('x')?;
            Some((rows.parse::<f64>().ok()?, cols.parse::<f64>().ok()?, m.summary.max))
        });
        let far = |(rows, cols, _): &(f64, f64, f64)| {
            let size = (rows * cols / weights(layout).unwrap_or(1.0)).ln().abs();
            // Of the same size the one of the same shape.
            (size, (rows / layout.rows as f64).ln().abs())
        };
        rates.min_by(|a, b| far(a).partial_cmp(&far(b)).unwrap_or(std::cmp::Ordering::Equal)).map(|(_, _, rate)| rate)
    }
}

/// Ternary weights in a byte of every layout.
const WEIGHTS_PER_BYTE: f64 = 4.0;

/// Values of a matrix.
fn weights(layout: &Layout) -> Option<f64> {
    let weights = layout.rows as f64 * layout.cols as f64;
    (weights > 0.0).then_some(weights)
}

/// Decode compared with the composite roof.
pub(in crate::report) fn table(report: &Report) -> Table {
    let mut rows = Vec::new();
    for workload in report.workloads() {
        for cell in Cell::all().filter(|cell| cell.target.clock == Clock::Wall) {
            let names = (cell.target.name, cell.variant.name);
            let (Some(roof), Some(share)) =
                (report.composite(names, workload), report.composite_share(names, workload))
            else {
                continue;
            };
            let mut row = vec![format!("`{workload}`"), names.0.into(), names.1.into()];
            row.extend([roof.sum() / share, roof.sum(), roof.ternary, roof.state, roof.head].map(number));
            row.push(percent(share));
            rows.push(row);
        }
    }
    let columns = [
        "workload",
        "target",
        "variant",
        "token, µs",
        "roof, µs",
        "ternary matrices",
        "state",
        "head",
        "share of composite roof",
    ];
    Table::new("Decode compared with the composite roof", DEFINITION, &columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::metrics::Direction;
    use crate::records::Row;
    use crate::records::provenance::Provenance;

    fn sample(workload: &str, phase: &str, metric: &str, value: u64) -> Row {
        let direction = Direction::Lower;
        let [target, variant, model, unit] = ["native", "avx2", "0", ""].map(str::to_string);
        let (workload, phase, metric) = (workload.into(), phase.into(), metric.into());
        Row::Sample { target, variant, workload, model, sample: 0, phase, metric, unit, direction, value }
    }

    fn layout(matrix: &str, rows: u64, cols: u64, count: Option<u64>, kernel: &str) -> Row {
        let [target, variant, model, none] = ["native", "avx2", "m", "none"].map(str::to_string);
        let (matrix, kernel, row_tail, col_tail) = (matrix.into(), kernel.into(), none.clone(), none);
        Row::Layout { target, variant, model, matrix, rows, cols, count, kernel, row_tail, col_tail }
    }

    /// 10 matrices of 128 × 512 at 100 G weights/s, and what is read at `bandwidth` in GB/s.
    fn rows(count: Option<u64>, case: &str, bandwidth: u64) -> Vec<Row> {
        let (buffer, decode) = (8_850_000, format!("m/{case}"));
        let mut rows = vec![
            layout("cm.k", 512, 128, count, "blocks"),
            layout("wkv", 32, 32, Some(40), "16 lanes"),
            layout("head", 1000, 400, Some(1), "madd"),
            layout("head.top", 1000, 400, Some(1), "two stages"),
            layout("vectors", 1, 128, Some(1), "16 lanes"),
        ];
        for (workload, amount, done, time) in [
            ("ternary/512x128/1", "weights", 65_536_000, 655_360),
            // Of the same size, and another shape.
            ("ternary/128x512/1", "weights", 65_536_000, 65_536),
            ("ternary/512x128/16", "weights", 65_536_000, 6_553),
            ("roof/8850000", "bytes", buffer * bandwidth, buffer),
        ] {
            rows.push(sample(workload, "kernel", amount, done));
            rows.push(sample(workload, "kernel", "time", time));
        }
        rows.push(sample(&decode, "decode", "time", 100_000));
        rows.push(sample(&decode, "decode", "tokens", 4));
        rows
    }

    #[test]
    fn a_token_takes_no_less_than_its_parts_at_their_best_rates() {
        let report = Report::of(Provenance::default(), &rows(Some(10), "all-logits", 40));
        let cell = ("native", "avx2");
        let roof = report.composite(cell, "m/all-logits").unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b, "{a} {b}");
        close(roof.ternary, 10.0 * 65_536.0 / 100e3);
        close(roof.state, 2.0 * 40.0 * 32.0 * 32.0 * 4.0 / 40e3);
        close(roof.head, 400_000.0 / 40e3);
        // 25 µs a token.
        close(report.composite_share(cell, "m/all-logits").unwrap(), roof.sum() / 25.0);
        close(roof.parts().iter().sum(), roof.sum());
        let slow = Report::of(Provenance::default(), &rows(Some(10), "all-logits", 10));
        close(slow.composite(cell, "m/all-logits").unwrap().ternary, 10.0 * 65_536.0 / 4.0 / 10e3);
        let greedy = Report::of(Provenance::default(), &rows(Some(10), "greedy", 40));
        close(greedy.composite(cell, "m/greedy").unwrap().head, 208_000.0 / 40e3);
        assert_eq!(table(&greedy).rows.len(), 1);
    }

    #[test]
    fn a_run_that_does_not_say_how_many_matrices_there_are_has_none() {
        let report = Report::of(Provenance::default(), &rows(None, "greedy", 40));
        assert_eq!(report.composite(("native", "avx2"), "m/greedy"), None);
        assert!(table(&report).rows.is_empty());
    }
}
