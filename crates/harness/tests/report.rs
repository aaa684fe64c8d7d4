//! Generating a report from rows, reading it back, and checking it against its folder.
#![allow(clippy::unwrap_used)]

use bitstate_harness::Exit;
use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::records::Row;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::report::history::Published;
use bitstate_harness::report::{self, Holds, Report, markdown, tables};
use bitstate_harness::targets::skip::{Cause, Skip};
use bitstate_harness::targets::{Cell, Clock};
use std::path::Path;

/// A target of each kind of clock.
fn cells() -> impl Iterator<Item = Cell> {
    Cell::all().filter(|cell| ["native", "wasm", "xtensa"].contains(&cell.target.name))
}

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

/// Rows like those of a run over every cell, with a skip and a failure.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (w, workload) in ["byte128-v1.2/bench", "default/greedy"].into_iter().enumerate() {
        for cell in cells() {
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
    rows.extend(probes());
    let bytes = 123_456;
    let (name, section) = ("firmware".into(), "text".into());
    rows.push(Row::Artifact { target: "xtensa".into(), variant: None, name, section, bytes });
    rows
}

/// Reference measurements: the parts of a token, memory reads, kernels, and chosen kernels.
fn probes() -> Vec<Row> {
    let mut rows = Vec::new();
    for cell in cells() {
        let emulated = cell.target.clock == Clock::Instructions;
        let tick = if emulated { "instructions" } else { "time" };
        for i in 0..3 {
            let mut kernel = |workload: &str, amount: &str, done: f64, ticks: f64| {
                rows.push(sample(cell, workload, i, "kernel", amount, done));
                rows.push(sample(cell, workload, i, "kernel", tick, ticks));
            };
            kernel("ternary/128x512/1", "weights", 65_536e3, 2e6 * if cell.variant.name == "avx2" { 0.3 } else { 1.0 });
            kernel("head/256x128", "bytes", 32_768e3, 1e6);
            if !emulated {
                kernel("ternary/128x512/16", "weights", 1_048_576e3, 1e7);
                // 40 GB/s, and 80 with AVX2; a smaller buffer is twice as fast.
                let slow = if cell.variant.name == "avx2" { 0.5 } else { 1.0 };
                kernel("roof/8850000", "bytes", 8_850_000e3, 8_850_000e3 / 40.0 * slow);
                kernel("roof/16384", "bytes", 16_384e3, 16_384e3 / 80.0 * slow);
            }
            for (name, share) in [("ternary", 60.0), ("head", 25.0), ("wkv", 8.0), ("norms", 4.0), ("steps", 2.0)] {
                rows.push(sample(cell, "byte128-v1.2/bench", i, "profile", name, 64.0 * 1000.0 * share));
            }
            rows.push(sample(cell, "byte128-v1.2/bench", i, "profile", "sampling", 64.0 * 1000.0));
            rows.push(sample(cell, "byte128-v1.2/bench", i, "profile", "clock", 64.0 * 500.0));
            rows.push(sample(cell, "byte128-v1.2/bench", i, "profile", "tokens", 64.0));
            if !emulated {
                rows.push(sample(cell, "default/greedy", i, "decode", "bytes", 64.0 * 9_000_000.0));
            }
        }
        for (matrix, rows_, cols) in [("tm.r", 96, 96), ("tm.k", 96, 96), ("head", 101, 96)] {
            let left = matrix == "head" && cell.variant.name.starts_with("avx");
            rows.push(Row::Layout {
                target: cell.target.name.into(),
                variant: cell.variant.name.into(),
                model: "odd96".into(),
                matrix: matrix.into(),
                rows: rows_,
                cols,
                count: Some(1),
                kernel: if cell.variant.name == "generic" { "decode" } else { "blocks" }.into(),
                row_tail: if left { "1 in plain Rust" } else { "none" }.into(),
                col_tail: "none".into(),
            });
        }
    }
    rows
}

/// The Markdown of a table of the page, by its title.
fn table(page: &str, title: &str) -> String {
    let section = page.split("## ").find(|section| section.starts_with(title)).unwrap_or_default();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with('|')).collect();
    rows.join("\n")
}

#[test]
fn shares_parts_kernels_and_ways_read_as_they_should() {
    // One workload with its bytes, 10 ms a token with AVX2 and 20 without, so 0.9 GB/s and 0.45.
    let mut rows = probes();
    for cell in cells().filter(|cell| ["generic", "avx2"].contains(&cell.variant.name)) {
        if cell.target.clock == Clock::Wall {
            let time = if cell.variant.name == "avx2" { 1e7 } else { 2e7 };
            for i in 0..3 {
                rows.push(sample(cell, "default/greedy", i, "decode", "time", 64.0 * time));
                rows.push(sample(cell, "default/greedy", i, "decode", "tokens", 64.0));
            }
        }
    }
    rows.retain(|row| match row {
        Row::Sample { variant, .. } | Row::Layout { variant, .. } => {
            ["generic", "avx2", "lut"].contains(&variant.as_str())
        }
        _ => true,
    });
    let report = Report::of(Provenance::default(), &rows);
    let page = markdown::page(&report);
    let roof = "\
| workload | target | variant | decode tokens/s | needed per token | GB/s | roof's buffer | own loads GB/s | roof GB/s | share of roof |
|---|---|---|---|---|---|---|---|---|---|
| `default/greedy` | native | generic | 50.0 | 9.00 MB | 0.450 | 8.85 MB | 40.0 | 80.0 (avx2) | 0.6 % |
| `default/greedy` | native | avx2 | 100 | 9.00 MB | 0.900 | 8.85 MB | 80.0 | 80.0 (avx2) | 1.1 % |
| `default/greedy` | wasm | generic | 50.0 | 9.00 MB | 0.450 | 8.85 MB | 40.0 | 40.0 (generic) | 1.1 % |";
    assert_eq!(table(&page, "Decode compared with the roof"), roof);
    let memory = "\
| target | variant | 16.4 kB GB/s | 8.85 MB GB/s |
|---|---|---|---|
| native | generic | 80.0 | 40.0 |
| native | avx2 | 160 | 80.0 |
| wasm | generic | 80.0 | 40.0 |";
    assert_eq!(table(&page, "Memory bandwidth"), memory);
    let kernels = "\
| kernel | rows×columns | tokens at once | native/generic | native/avx2 | wasm/generic |
|---|---|---|---|---|---|
| ternary, G weights/s | 128×512 | 1 | 32.8 | 109 | 32.8 |
| ternary, G weights/s | 128×512 | 16 | 105 | 105 | 105 |
| INT8 head, GB/s | 256×128 | 1 | 32.8 (20 %) | 32.8 (20 %) | 32.8 (41 %) |";
    assert_eq!(table(&page, "Kernels\n"), kernels);
    let costs = "\
| kernel | rows×columns | xtensa/generic | xtensa/lut |
|---|---|---|---|
| ternary, instructions per weight | 128×512 | 0.0305 | 0.0305 |
| INT8 head, instructions per byte | 256×128 | 0.0305 | 0.0305 |";
    assert_eq!(table(&page, "Kernel instructions"), costs);
    let parts = table(&page, "Time of a token by part");
    let native = "| `byte128-v1.2/bench` | native | avx2 | 60.0 µs (60 %) | 25.0 µs (25 %) | 8.00 µs (8.0 %) | \
        4.00 µs (4.0 %) | 2.00 µs (2.0 %) | 1.00 µs (1.0 %) | 100 µs | 0.500 µs |";
    assert!(parts.contains(native) && !parts.contains("xtensa"), "{parts}");
    let parts = table(&page, "Instructions of a token by part");
    assert!(parts.contains("| xtensa | lut | 60,000 (60 %) | 25,000 (25 %) |") && !parts.contains("native"), "{parts}");
    let ways = [
        "`odd96` | head | 101×96 | 1 in plain Rust | none | blocks: native/avx2",
        "`odd96` | tm.k, tm.r | 96×96 | none | none | blocks: native/avx2, xtensa/lut; decode: native/generic, \
         wasm/generic, xtensa/generic",
        "`odd96` | head | 101×96 | none | none | blocks: xtensa/lut; decode: native/generic, wasm/generic, \
         xtensa/generic",
    ];
    // Too long for the page in Markdown, which only counts its rows.
    let tables = tables::all(&report).into_iter();
    let paths = tables.filter(|table| table.title == "Kernel paths by shape").flat_map(|table| table.rows);
    assert_eq!(paths.map(|row| row.join(" | ")).collect::<Vec<_>>(), ways);
    assert!(page.contains("## Kernel paths by shape\n\n") && page.contains("\n\n3 rows, in the HTML page.\n\n"));
    assert!(page.contains("This applies to: `odd96`."));
}

/// A quantity that was never measured is left out, not shown as zero.
#[test]
fn a_run_without_probes_has_no_roof_and_says_so_with_a_dash() {
    let mut rows = rows();
    rows.retain(|row| !matches!(row, Row::Sample { phase, .. } if phase == "kernel" || phase == "profile"));
    rows.retain(|row| !matches!(row, Row::Layout { .. }));
    let report = Report::of(Provenance::default(), &rows);
    let page = markdown::page(&report);
    for title in ["Decode compared", "Memory bandwidth", "Kernel", "Time of a token", "Instructions of a token"] {
        assert!(!page.contains(&format!("## {title}")), "{title}");
    }
    let overview = report::overview::table(&report);
    assert!(overview.rows.iter().all(|row| row[4] == "–"), "{overview:?}");
    let names: Vec<&str> = report::charts::all(&report).iter().map(|chart| chart.name).collect();
    assert_eq!(names, ["throughput", "xtensa", "memory", "phases-time", "phases-instructions"]);
}

#[test]
fn the_parts_of_a_bar_are_the_whole_and_the_legend_names_each() {
    let report = Report::of(Provenance::default(), &rows());
    let charts = report::charts::all(&report);
    let stacked: Vec<_> = charts.iter().filter(|chart| !chart.legend.is_empty()).collect();
    assert_eq!(stacked.iter().map(|chart| chart.name).collect::<Vec<_>>(), ["parts-time", "parts-instructions"]);
    for chart in stacked {
        let marks: Vec<_> = chart.panels.iter().flat_map(|panel| &panel.rows).collect();
        assert!(!marks.is_empty());
        for mark in marks {
            if mark.value.is_none() {
                // A gap has its reason and no bar.
                assert!(mark.parts.is_empty() && mark.text.starts_with("skipped: "), "{mark:?}");
                continue;
            }
            assert_eq!(mark.parts.len(), chart.legend.len());
            assert!((mark.parts.iter().sum::<f64>() - 100.0).abs() < 1e-9, "{mark:?}");
        }
    }
}

fn write(folder: &Path) {
    let command = "cargo xtask bench".into();
    let provenance =
        Provenance { name: "test".into(), command, started: "2026-01-31T10:00:00Z".into(), ..Provenance::default() };
    report::write(folder, &provenance, &rows(), &Published::default()).unwrap();
}

#[test]
fn a_report_is_whole_and_the_same_when_made_again() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    write(&folder);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let html = read("report.html");
    assert!(!html.contains("http://") || !html.replace("http://www.w3.org", "").contains("http://"));
    assert!(!html.contains("https://") && html.matches("<svg").count() == 9);
    for text in ["skipped: 9.1 MB does not fit 8 MB PSRAM", "no end after 300 s", "What this does not show"] {
        assert!(html.contains(text), "{text}");
    }
    let names =
        ["throughput", "roof", "kernels", "parts-time", "parts-instructions", "xtensa", "memory", "phases-time"];
    for name in names.into_iter().chain(["phases-instructions"]) {
        let png = std::fs::read(folder.join(format!("charts/{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{name}: {} bytes", png.len());
        assert!(read("report.md").contains(&format!("charts/{name}.svg")));
    }
    assert_eq!(report::outdated(&folder, &Published::default(), Holds::Everything).unwrap(), Vec::<String>::new());
    std::fs::write(folder.join("report.md"), "edited").unwrap();
    assert_eq!(report::outdated(&folder, &Published::default(), Holds::Everything).unwrap(), ["report.md"]);
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
    let new = markdown::readme(text, (&report, Path::new("reports/x")), &[]).unwrap();
    assert!(
        new.starts_with("before\n<!-- results:begin -->\n| workload |")
            && new.ends_with("<!-- results:end -->\nafter\n")
    );
    assert!(!new.contains("old") && new.contains("reports/x/charts/throughput.svg"));
    // For each workload and target the fastest variant: the one with the fewest instructions if none is timed.
    let rows: Vec<&str> = new.lines().filter(|line| line.starts_with("| `")).collect();
    let of_xtensa: Vec<&&str> = rows.iter().filter(|row| row.contains("| xtensa |")).collect();
    assert!(of_xtensa.iter().all(|row| row.contains("| lut |") || row.contains("skipped")), "{new}");
    let mut places: Vec<Vec<&str>> = rows.iter().map(|row| row.split(" | ").take(2).collect()).collect();
    let all = places.len();
    places.dedup();
    assert_eq!(places.len(), all, "a row for each workload and target");
    assert_eq!(markdown::readme(&new, (&report, Path::new("reports/x")), &[]).unwrap(), new);
    let error = markdown::readme("no block", (&report, Path::new("reports/x")), &[]).unwrap_err();
    assert!(error.to_string().contains("README.md has no block"));
}
