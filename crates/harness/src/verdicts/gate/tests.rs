//! Counters of one run's records compared with those of another.

use super::{Scope, Status, exit, judge};
use crate::definitions::metrics::Direction;
use crate::definitions::thresholds::Thresholds;
use crate::records::Row;
use crate::records::counter::{Counter, of_records};
use crate::records::provenance::Provenance;
use crate::workspace::exit::Exit;

fn sample(metric: &str, value: u64) -> Row {
    Row::Sample {
        target: "wasm".into(),
        variant: "simd128".into(),
        workload: "a".into(),
        model: "00000000000000aa".into(),
        sample: 0,
        phase: "decode".into(),
        metric: metric.into(),
        unit: metric.into(),
        direction: Direction::Lower,
        value,
    }
}

fn counters(fuel: u64, tokens: u64, wasmtime: &str) -> Vec<Counter> {
    let tools = [("wasmtime".to_string(), wasmtime.to_string())].into();
    let mut rows = vec![sample("time", 5), sample("fuel", fuel), sample("tokens", tokens), sample("fuel", fuel + 1)];
    // The work of a token and the cost of its parts differ without a finding.
    rows.extend([sample("bytes", fuel), sample("ternary", fuel), sample("clock", fuel), sample("weights", fuel)]);
    of_records(&Provenance { tools, ..Provenance::default() }, &rows)
}

fn compared(a: &[Counter], b: &[Counter]) -> (Status, Exit) {
    let thresholds = Thresholds::parse(include_str!("../../../../../ci/thresholds.toml")).unwrap();
    let scope = Scope { selected: &|_| true, excused: &|_| false, stale: &|_| None };
    let findings = judge(&thresholds, a, b, &scope);
    assert_eq!(findings.len(), 1, "time is not a counter, tokens are part of the key");
    (findings[0].status, exit(&findings))
}

#[test]
fn records_compare_only_with_the_same_key() {
    let base = counters(1000, 8, "48");
    assert_eq!(compared(&base, &counters(1000, 8, "48")), (Status::Unchanged, Exit::Pass));
    assert_eq!(compared(&base, &counters(1020, 8, "48")), (Status::Regression, Exit::Regression));
    assert_eq!(compared(&base, &counters(1000, 8, "49")), (Status::NotComparable, Exit::NotMeasurable));
    assert_eq!(compared(&base, &counters(1000, 64, "48")), (Status::NotComparable, Exit::NotMeasurable));
}
