//! A report made from rows, read back, and checked against the folder it was written to.
#![allow(clippy::unwrap_used)]

use bitstate_harness::Exit;
use bitstate_harness::expected::{Cause, Skip};
use bitstate_harness::provenance::Provenance;
use bitstate_harness::records::{Direction, Row};
use bitstate_harness::report::{self, Report, markdown};
use bitstate_harness::target::{Cell, Clock};
use std::path::Path;

fn sample(cell: Cell, workload: &str, sample: u32, phase: &str, metric: &str, value: f64) -> Row {
    Row::Sample {
        target: cell.target.name.into(),
        variant: cell.variant.name.into(),
        workload: workload.into(),
        model: "00000000000000aa".into(),
        sample,
        phase: phase.into(),
        metric: metric.into(),
        unit: String::new(),
        direction: Direction::Lower,
        value: value as u64,
    }
}

/// Rows as a run over every cell would give them, with a skip and a failure.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (w, workload) in ["byte128-v1.2/bench", "default/greedy"].into_iter().enumerate() {
        for cell in Cell::all() {
            if cell.target.name == "xtensa" && w == 1 {
                let skip = Skip { cause: Cause::Memory, reason: "9.1 MB does not fit 8 MB PSRAM".into() };
                rows.push(Row::skipped(cell, Some(workload), &skip, true));
                continue;
            }
            if (w, cell.target.name, cell.variant.name) == (1, "wasm", "generic") {
                rows.push(Row::failed(cell, Some(workload), "bench", "no end after 300 s".into(), Exit::Harness));
                continue;
            }
            let slow = match (cell.target.name, cell.variant.name) {
                ("xtensa", "lut") => 0.4,
                ("xtensa", _) => 1.0,
                (_, "generic") => 14.0,
                ("wasm", _) => 2.5,
                _ => 1.0,
            } * (1.0 + 4.0 * w as f64);
            let emulated = cell.target.clock == Clock::Instructions;
            for i in 0..if emulated { 2 } else { 10 } {
                let tick = if emulated { "instructions" } else { "time" };
                let unit = if emulated { 9e6 } else { 2e5 * (1.0 + 0.02 * f64::from(i % 5)) };
                rows.push(sample(cell, workload, i, "load", tick, unit * 3.0));
                rows.push(sample(cell, workload, i, "prefill", tick, unit * slow * 32.0));
                rows.push(sample(cell, workload, i, "prefill", "tokens", 32.0));
                rows.push(sample(cell, workload, i, "decode", tick, unit * slow * 64.0));
                rows.push(sample(cell, workload, i, "decode", "tokens", 64.0));
                rows.push(sample(cell, workload, i, "decode", "allocations", 0.0));
                let memory = if emulated { "heap_peak" } else { "peak_memory" };
                rows.push(sample(
                    cell,
                    workload,
                    i,
                    "run",
                    memory,
                    3e5 * slow.sqrt() * if emulated { 1.0 } else { 30.0 },
                ));
                if emulated {
                    rows.push(sample(cell, workload, i, "run", "stack_high_water", 4096.0));
                    rows.push(sample(cell, workload, i, "run", "static", 2048.0));
                }
            }
        }
    }
    let bytes = 123_456;
    let (name, section) = ("firmware".into(), "text".into());
    rows.push(Row::Artifact { target: "xtensa".into(), variant: None, name, section, bytes });
    rows
}

fn write(folder: &Path) {
    let command = "cargo xtask bench".into();
    let provenance =
        Provenance { name: "test".into(), command, started: "2026-01-31T10:00:00Z".into(), ..Provenance::default() };
    report::write(folder, &provenance, &rows()).unwrap();
}

#[test]
fn a_report_is_whole_and_the_same_when_made_again() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    write(&folder);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let html = read("report.html");
    assert!(!html.contains("http://") || !html.replace("http://www.w3.org", "").contains("http://"));
    assert!(!html.contains("https://") && html.matches("<svg").count() == 5);
    for text in ["skipped: 9.1 MB does not fit 8 MB PSRAM", "no end after 300 s", "What this does not show"] {
        assert!(html.contains(text), "{text}");
    }
    for name in ["throughput", "xtensa", "memory", "phases-time", "phases-instructions"] {
        let png = std::fs::read(folder.join(format!("charts/{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{name}: {} bytes", png.len());
        assert!(read("report.md").contains(&format!("charts/{name}.svg")));
    }
    assert_eq!(report::outdated(&folder).unwrap(), Vec::<String>::new());
    std::fs::write(folder.join("report.md"), "edited").unwrap();
    assert_eq!(report::outdated(&folder).unwrap(), ["report.md"]);
}

#[test]
fn time_and_modelled_time_never_share_a_chart() {
    let report = Report::of(Provenance::default(), &rows());
    for chart in report::charts::all(&report).iter().filter(|chart| chart.name != "memory") {
        let marks = chart.panels.iter().flat_map(|panel| &panel.rows);
        let targets: Vec<bool> = marks.map(|mark| mark.label.starts_with("xtensa")).collect();
        assert!(targets.iter().all(|emulated| *emulated == targets[0]), "{}", chart.name);
    }
}

#[test]
fn modelled_speed_is_the_clock_over_the_instructions_of_a_token() {
    let report = Report::of(Provenance::default(), &rows());
    let lut = |metric| report.find(("xtensa", "lut"), "byte128-v1.2/bench", "decode", metric).unwrap().median;
    assert_eq!(lut("instructions per token"), 3_600_000.0);
    assert!((lut("modelled throughput") - 240e6 / 3.6e6).abs() < 1e-9);
    let memory = report.find(("xtensa", "generic"), "byte128-v1.2/bench", "run", "memory").unwrap();
    assert_eq!(memory.median, 300_000.0 + 4096.0 + 2048.0);
}

#[test]
fn the_readme_block_is_replaced_and_nothing_else() {
    let report = Report::of(Provenance::default(), &rows());
    let text = "before\n<!-- results:begin -->\nold\n<!-- results:end -->\nafter\n";
    let new = markdown::readme(text, &report, Path::new("reports/x")).unwrap();
    assert!(
        new.starts_with("before\n<!-- results:begin -->\n| workload |")
            && new.ends_with("<!-- results:end -->\nafter\n")
    );
    assert!(!new.contains("old") && new.contains("reports/x/charts/throughput.svg"));
    assert_eq!(markdown::readme(&new, &report, Path::new("reports/x")).unwrap(), new);
    let error = markdown::readme("no block", &report, Path::new("reports/x")).unwrap_err();
    assert!(error.to_string().contains("README.md has no block"));
}
