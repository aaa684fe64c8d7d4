//! The history on a page, and whether pages and the README are current.
#![allow(clippy::unwrap_used)]

use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::records::counter::Counter;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{Row, read_parts, records_of};
use bitstate_harness::report::charts::{self, Chart};
use bitstate_harness::report::check::{self, Readme};
use bitstate_harness::report::history::{Published, Quantity};
use bitstate_harness::report::kept::{Kept, keep};
use bitstate_harness::report::{self, Holds, Report, tables};
use bitstate_harness::workspace::{Workspace, write_atomic};
use std::path::PathBuf;

/// A workspace with only a README.
fn workspace() -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_path_buf();
    let readme = "# Title\n<!-- results:begin -->\n<!-- results:end -->\nend\n";
    write_atomic(&root.join("README.md"), readme.as_bytes()).unwrap();
    (folder, Workspace { target: root.join("target"), root })
}

/// The counters of a published run: fuel of 10 tokens under a wasmtime version, and the speed.
#[derive(Clone, Copy)]
struct Run {
    name: &'static str,
    day: u32,
    fuel: u64,
    time: u64,
    wasmtime: &'static str,
    cpu: &'static str,
}

const FIRST: Run = Run { name: "first", day: 1, fuel: 1000, time: 1_000_000, wasmtime: "48", cpu: "A" };

/// Publishes a run and generates its pages.
fn publish(workspace: &Workspace, run: Run) -> PathBuf {
    let sample = |metric: &str, value: u64| Row::Sample {
        target: "wasm".into(),
        variant: "simd128".into(),
        workload: "w".into(),
        model: "00000000000000aa".into(),
        sample: 0,
        phase: "decode".into(),
        metric: metric.into(),
        unit: String::new(),
        direction: Direction::Lower,
        value,
    };
    let size = Row::Artifact {
        target: "wasm".into(),
        variant: Some("simd128".into()),
        name: "guest.wasm".into(),
        section: "code".into(),
        bytes: 5000,
    };
    let rows = vec![sample("tokens", 10), sample("time", run.time), sample("fuel", run.fuel), size];
    let provenance = Provenance {
        name: run.name.into(),
        started: format!("2026-01-{:02}T10:00:00Z", run.day),
        commit: format!("{}0123456789", run.name),
        tools: [("wasmtime".to_string(), run.wasmtime.to_string())].into(),
        cpu: run.cpu.into(),
        ..Provenance::default()
    };
    let folder = workspace.reports().join(run.name);
    report::write(&folder, &provenance, &rows, &Published::load(workspace).unwrap()).unwrap();
    folder
}

fn chart<'a>(charts: &'a [Chart], name: &str) -> &'a charts::Trend {
    charts.iter().find(|chart| chart.name == name).unwrap_or_else(|| panic!("no {name}")).trend.as_ref().unwrap()
}

/// The report of a folder with the current published runs.
fn now(workspace: &Workspace, folder: &std::path::Path) -> Report {
    let parts = read_parts(&records_of(folder)).unwrap();
    let mut report = Report::of_parts(&parts);
    report.history = Published::load(workspace).unwrap().until(&parts);
    report
}

#[test]
fn counters_connect_where_their_key_is_the_same_and_times_never_do() {
    let (_folder, workspace) = workspace();
    publish(&workspace, FIRST);
    publish(&workspace, Run { name: "second", day: 2, fuel: 900, time: 500_000, ..FIRST });
    publish(&workspace, Run { name: "third", day: 3, fuel: 1800, wasmtime: "49", cpu: "B", ..FIRST });
    let last = publish(&workspace, Run { name: "fourth", day: 4, fuel: 1980, wasmtime: "49", cpu: "B", ..FIRST });
    let report = report::read(&last).unwrap();
    let charts = charts::all(&report);

    let counters = chart(&charts, "history-counters");
    let fuel = &counters.panels.iter().find(|panel| panel.title.contains("fuel")).unwrap().series[0];
    // Another wasmtime counts differently: its 1,800 are not a doubling, but a new start.
    let close = |point: Option<(f64, bool)>, value: f64, connected: bool| {
        let point = point.unwrap();
        (point.0 - value).abs() < 1e-12 && point.1 == connected
    };
    let expected = [(1.0, false), (0.9, true), (1.0, false), (1.1, true)];
    for (point, (value, connected)) in fuel.points.iter().zip(expected) {
        assert!(close(*point, value, connected), "{:?}", fuel.points);
    }
    assert_eq!((fuel.label.as_str(), counters.moves.as_slice()), ("simd128 198", [2].as_slice()));

    let speed = &chart(&charts, "history-speed").panels[0].series[0];
    let expected = [10_000.0, 20_000.0, 10_000.0, 10_000.0].map(|value| Some((value, false)));
    assert_eq!(speed.points, expected);

    let movers = tables::first(&report).remove(0);
    let row = ["+10.0 %", "wasm/simd128", "fuel/token", "180", "198", "`w`"].map(str::to_string);
    assert_eq!((movers.title.as_str(), movers.rows.as_slice()), ("Changed counters", [row.to_vec()].as_slice()));
    assert!(movers.note.contains("those of `third` (2026-01-03, commit third01234)"), "{}", movers.note);

    let table = tables::all(&report).into_iter().find(|table| table.title == "History").unwrap();
    let fuel = table.rows.iter().find(|row| row[0] == "fuel/token").unwrap();
    assert_eq!(fuel[3..], ["100", "90.0 (-10.0 %)", "180", "198 (+10.0 %)"]);
    let speed = table.rows.iter().find(|row| row[0] == "decode, tokens/s").unwrap();
    assert_eq!(speed[3..], ["10,000", "20,000", "10,000", "10,000"]);
}

#[test]
fn a_page_knows_no_later_run_so_publishing_one_changes_no_other() {
    let (_folder, workspace) = workspace();
    let second = publish(&workspace, Run { name: "second", day: 2, ..FIRST });
    let page = std::fs::read(second.join("report.md")).unwrap();
    assert!(now(&workspace, &second).history.is_empty());
    publish(&workspace, Run { name: "third", day: 3, fuel: 7, ..FIRST });
    assert_eq!(
        report::outdated(&second, &Published::load(&workspace).unwrap(), Holds::Everything).unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(std::fs::read(second.join("report.md")).unwrap(), page);
    // An earlier run does, and the check detects that.
    publish(&workspace, FIRST);
    let outdated = report::outdated(&second, &Published::load(&workspace).unwrap(), Holds::Everything).unwrap();
    assert!(outdated.contains(&"report.md".to_string()), "{outdated:?}");
    assert_eq!(now(&workspace, &second).history.runs.len(), 2);
}

#[test]
fn a_run_that_cannot_be_read_is_left_out_with_the_reason() {
    let (_folder, workspace) = workspace();
    let first = publish(&workspace, FIRST);
    let second = publish(&workspace, Run { name: "second", day: 2, ..FIRST });
    let path = first.join("records.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    write_atomic(&path, text.replacen("\"schema\":", "\"schema\":9", 1).as_bytes()).unwrap();
    let report = now(&workspace, &second);
    assert_eq!(report.history.runs.len(), 1);
    let runs = tables::all(&report).into_iter().find(|table| table.title == "Published runs").unwrap();
    let last = runs.rows.last().unwrap();
    assert_eq!(last[1], "first");
    assert!(last[4].starts_with("omitted: reports/first/records.jsonl: line 1: its `schema` is 9"), "{last:?}");
}

#[test]
fn accepted_instructions_are_a_history_too_and_say_what_they_depend_on() {
    let (_folder, workspace) = workspace();
    let accept = |value: u64, valgrind: &str| {
        let counter = Counter {
            target: "native".into(),
            variant: "avx2".into(),
            workload: "w".into(),
            phase: "decode".into(),
            metric: "instructions".into(),
            unit: "instructions".into(),
            value,
            parts: Default::default(),
            key: [("valgrind".to_string(), valgrind.to_string())].into(),
            unconfirmed: false,
        };
        let why = format!("{value} under {valgrind}");
        bitstate_harness::verdicts::baseline::accept(&workspace, &[counter], |_| true, &why, &Provenance::default())
            .unwrap();
    };
    accept(100, "3.19");
    accept(90, "3.19");
    // The same count under another valgrind is recorded too: it is not the same measurement.
    accept(90, "3.20");
    let run = publish(&workspace, Run { day: 31, ..FIRST });
    let later = std::fs::read_to_string(run.join("records.jsonl")).unwrap().replace("2026-01-31", "2999-01-01");
    std::fs::write(run.join("records.jsonl"), later).unwrap();
    let report = now(&workspace, &run);
    assert_eq!(report.history.accepted.len(), 3);
    assert_eq!(report.history.accepted[2].points[0].quantity, Quantity::Callgrind);
    let charts = charts::all(&report);
    let points = &chart(&charts, "history-accepted").panels[0].series[0].points;
    assert_eq!(points[..], [Some((100.0, false)), Some((90.0, true)), Some((90.0, false))]);
}

#[test]
fn a_stale_readme_table_or_chart_is_named() {
    let (_folder, workspace) = workspace();
    let folder = publish(&workspace, FIRST);
    keep(&workspace, &Published::load(&workspace).unwrap()).unwrap();
    let folders = [folder.clone()];
    let stale = || check::stale(&workspace, &folders, &Published::load(&workspace).unwrap()).unwrap();
    let readme = workspace.root.join("README.md");
    let sentence = "README.md, which must show the results of reports/first";
    assert_eq!(stale(), [sentence], "no result is in it yet");
    let Readme { text, shown } = check::readme(&workspace).unwrap();
    let text = text.unwrap();
    assert_eq!(shown.folder.unwrap(), folder);
    write_atomic(&readme, text.as_bytes()).unwrap();
    assert_eq!(stale(), Vec::<String>::new());

    // A number of the table, and the link to a chart.
    for (from, to) in [("10,000 tokens/s", "99,999 tokens/s"), ("charts/throughput.svg", "charts/other.svg")] {
        assert!(text.contains(from), "{text}");
        write_atomic(&readme, text.replace(from, to).as_bytes()).unwrap();
        assert_eq!(stale(), [sentence], "{to}");
    }
    write_atomic(&readme, text.as_bytes()).unwrap();

    // A chart in the README, altered and then removed.
    let svg = folder.join("charts/throughput.svg");
    let drawn = std::fs::read_to_string(&svg).unwrap();
    write_atomic(&svg, drawn.replace("10,000", "99,999").as_bytes()).unwrap();
    assert_eq!(stale(), ["reports/first/charts/throughput.svg"]);
    std::fs::remove_file(&svg).unwrap();
    let shown = "reports/first/charts/throughput.svg, which README.md shows";
    assert_eq!(stale(), ["reports/first/charts/throughput.svg", shown]);
    write_atomic(&svg, drawn.as_bytes()).unwrap();

    // A newer report, which the README does not show.
    publish(&workspace, Run { name: "second", day: 2, ..FIRST });
    keep(&workspace, &Published::load(&workspace).unwrap()).unwrap();
    assert_eq!(stale(), ["README.md, which must show the results of reports/second"]);
}

/// Files at and below a folder, by name.
fn files(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        match path.is_dir() {
            true => names.extend(files(&path).into_iter().map(|inner| format!("{name}/{inner}"))),
            false => names.push(name),
        }
    }
    names.sort();
    names
}

#[test]
fn an_older_run_keeps_its_records_and_one_page_and_what_is_more_or_less_is_named() {
    let (_folder, workspace) = workspace();
    let published = || Published::load(&workspace).unwrap();
    let first = publish(&workspace, FIRST);
    let records = std::fs::read(first.join("records.jsonl")).unwrap();
    let second = publish(&workspace, Run { name: "second", day: 2, fuel: 900, ..FIRST });
    let before = published();
    // The layout before runs were reduced, and after an interrupted publication.
    let stale = Kept::load(&workspace).unwrap().outdated(&first, &before).unwrap();
    let why = "which is not kept of a published run once there is a newer one";
    for name in ["records.jsonl", "report.html", "report.json", "charts/throughput.svg", "charts/throughput.png"] {
        assert!(stale.contains(&format!("{name}, {why}")), "{name}: {stale:?}");
    }
    keep(&workspace, &before).unwrap();
    let after = published();
    let small = ["records.jsonl.gz", "report.md"];
    assert_eq!(files(&first), small);
    let charts =
        ["history-counters", "history-speed", "phases-time", "throughput"].map(|name| format!("charts/{name}.svg"));
    let pages = [&charts[..], &["records.jsonl.gz", "report.html", "report.md"].map(str::to_string)].concat();
    assert_eq!(files(&second), pages);
    let page = std::fs::read_to_string(first.join("report.md")).unwrap();
    assert!(
        !page.contains("](charts/") && page.contains("`cargo xtask report reports/first` generates the charts"),
        "{page}"
    );
    // Compression loses nothing, and the history reads compressed records.
    assert_eq!(read_parts(&first.join("records.jsonl.gz")).unwrap()[0].provenance.name, "first");
    bitstate_harness::records::unpack(&first, &workspace.target).unwrap();
    assert_eq!(std::fs::read(workspace.target.join("records.jsonl")).unwrap(), records);
    assert_eq!(now(&workspace, &second).history.runs.len(), 2);
    let kept = Kept::load(&workspace).unwrap();
    for folder in [&first, &second] {
        assert_eq!(kept.outdated(folder, &after).unwrap(), Vec::<String>::new());
    }

    // Missing and superfluous files.
    std::fs::remove_file(first.join("report.md")).unwrap();
    assert_eq!(kept.outdated(&first, &after).unwrap(), ["report.md"]);
    write_atomic(&first.join("report.html"), b"").unwrap();
    write_atomic(&second.join("charts/throughput.png"), b"").unwrap();
    assert_eq!(kept.outdated(&first, &after).unwrap(), ["report.md".to_string(), format!("report.html, {why}")]);
    let more = "charts/throughput.png, which is not kept of a published run";
    assert_eq!(kept.outdated(&second, &after).unwrap(), [more]);
    keep(&workspace, &after).unwrap();
    assert_eq!((files(&first), files(&second)), (small.map(str::to_string).to_vec(), pages));

    // The run in README.md keeps its pages, although a newer run exists.
    let third = publish(&workspace, Run { name: "third", day: 3, ..FIRST });
    let path = third.join("records.jsonl");
    let quick = std::fs::read_to_string(&path).unwrap().replace("\"quick\":false", "\"quick\":true");
    write_atomic(&path, quick.as_bytes()).unwrap();
    keep(&workspace, &published()).unwrap();
    assert_eq!(files(&first), small);
    assert!([&second, &third].iter().all(|folder| folder.join("report.html").is_file()));
}

/// The committed runs: publishing a run, which removes the pages of the one before it, adds at most 1.5 MB.
#[test]
fn what_is_committed_is_small() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = Workspace { target: root.join("target"), root };
    let kept = Kept::load(&workspace).unwrap();
    for folder in report::published(&workspace) {
        let bytes: u64 = files(&folder).iter().map(|name| std::fs::metadata(folder.join(name)).unwrap().len()).sum();
        let most = if kept.of(&folder) == Holds::Pages { 1_500_000 } else { 300_000 };
        assert!(bytes <= most, "{} has {bytes} bytes, more than {most}", folder.display());
    }
}
