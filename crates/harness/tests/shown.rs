//! Which published run the README shows: the newest full one by commit date, regardless of later publications.
#![allow(clippy::unwrap_used)]

use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::definitions::workloads;
use bitstate_harness::records::Row;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::report::check::{self, Readme};
use bitstate_harness::report::history::Published;
use bitstate_harness::report::{self, shown};
use bitstate_harness::targets::Cell;
use bitstate_harness::targets::skip::{Cause, Skip};
use bitstate_harness::workspace::exit::Exit;
use bitstate_harness::workspace::{Workspace, write_atomic};
use std::path::PathBuf;

/// A workspace with a README and the existing workloads; the names of two of them.
struct Place {
    _folder: tempfile::TempDir,
    workspace: Workspace,
    names: [String; 2],
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { target: folder.path().join("target"), root: folder.path().into() };
        let readme = "# Title\n<!-- results:begin -->\n<!-- results:end -->\nend\n";
        write_atomic(&workspace.root.join("README.md"), readme.as_bytes()).unwrap();
        let real = Workspace::find().unwrap().root.join(workloads::FILE);
        write_atomic(&workspace.root.join(workloads::FILE), &std::fs::read(real).unwrap()).unwrap();
        let named = workloads::read(&workspace).unwrap().1;
        let names = [0, 1].map(|i| named[i].case.clone());
        Place { _folder: folder, workspace, names }
    }

    /// Publishes a run; `committed` and `started` are days of a month.
    fn publish(&self, name: &str, [committed, started]: [u32; 2], rows: Vec<Row>, with: impl Fn(&mut Provenance)) {
        let day = |day: u32| format!("2026-01-{day:02}T10:00:00Z");
        let mut provenance = Provenance {
            name: name.into(),
            started: day(started),
            committed: (committed > 0).then(|| day(committed)),
            ..Provenance::default()
        };
        with(&mut provenance);
        let folder = self.workspace.reports().join(name);
        report::write(&folder, &provenance, &rows, &Published::default()).unwrap();
    }

    /// The name of the shown run, and the reasons against the others, by name.
    fn shown(&self) -> (String, Vec<(String, String)>) {
        let name = |folder: PathBuf| folder.file_name().unwrap().to_string_lossy().into_owned();
        let shown = shown::shown(&self.workspace).unwrap();
        let mut others: Vec<_> = shown.others.into_iter().map(|(folder, why)| (name(folder), why)).collect();
        others.sort();
        (shown.folder.map(name).unwrap_or_default(), others)
    }

    /// Whether everything published is current after the README is written.
    fn is_current(&self) -> bool {
        let published = Published::load(&self.workspace).unwrap();
        check::stale(&self.workspace, &[], &published).unwrap().is_empty()
    }

    fn write_readme(&self) {
        let Readme { text, .. } = check::readme(&self.workspace).unwrap();
        write_atomic(&self.workspace.root.join("README.md"), text.unwrap().as_bytes()).unwrap();
        assert!(self.is_current());
    }
}

const CELLS: [(&str, &str); 3] = [("native", "generic"), ("native", "avx2"), ("wasm", "simd128")];

/// The rows of a cell on a workload.
fn numbers((target, variant): (&str, &str), workload: &str) -> Vec<Row> {
    let sample = |phase: &str, metric: &str, value: u64| Row::Sample {
        target: target.into(),
        variant: variant.into(),
        workload: workload.into(),
        model: "00000000000000aa".into(),
        sample: 0,
        phase: phase.into(),
        metric: metric.into(),
        unit: String::new(),
        direction: Direction::Lower,
        value,
    };
    vec![sample("decode", "tokens", 10), sample("decode", "time", 1_000_000), sample("run", "peak_memory", 5000)]
}

/// A run of every cell on both workloads.
fn full(place: &Place) -> Vec<Row> {
    CELLS.iter().flat_map(|cell| place.names.iter().flat_map(|name| numbers(*cell, name))).collect()
}

#[test]
fn an_older_commit_that_is_published_later_is_not_what_the_readme_shows() {
    let place = Place::new();
    place.publish("first", [3, 3], full(&place), |_| {});
    place.write_readme();
    place.publish("older", [2, 9], full(&place), |_| {});
    let why = "its commit, of 2026-01-02T10:00:00Z, is older than that of reports/first, of 2026-01-03T10:00:00Z";
    assert_eq!(place.shown(), ("first".into(), vec![("older".into(), why.into())]));
    assert!(place.is_current());
    place.publish("newer", [4, 10], full(&place), |_| {});
    assert_eq!(place.shown().0, "newer");
    assert!(!place.is_current(), "the README must show it");
    // The same commit again: the later measurement is shown.
    place.publish("again", [4, 11], full(&place), |_| {});
    assert_eq!(place.shown().0, "again");
}

#[test]
fn records_that_do_not_say_when_their_commit_was_made_count_by_their_own_day() {
    let place = Place::new();
    place.publish("first", [0, 3], full(&place), |_| {});
    place.publish("second", [0, 4], full(&place), |_| {});
    assert_eq!(place.shown().0, "second");
    place.publish("older", [2, 9], full(&place), |_| {});
    assert_eq!(place.shown().0, "second");
}

#[test]
fn a_quick_a_changed_a_failed_or_a_partial_run_replaces_nothing() {
    let place = Place::new();
    place.publish("whole", [3, 3], full(&place), |_| {});
    place.write_readme();
    let [first, second] = &place.names;
    let cell = Cell::named("native", "avx2").unwrap();
    let failed = Row::failed(cell, Some(first), "bench", "no end".into(), Exit::Harness);
    let without_memory = |row: &Row| !matches!(row, Row::Sample { metric, .. } if metric == "peak_memory");
    place.publish("quick", [4, 4], full(&place), |run| run.quick = true);
    place.publish("changed", [5, 5], full(&place), |run| run.dirty = true);
    place.publish("failed", [6, 6], [full(&place), vec![failed]].concat(), |_| {});
    place.publish("one-cell", [7, 7], numbers(CELLS[1], first), |_| {});
    place.publish("quick-cell", [8, 8], numbers(CELLS[1], first), |run| run.quick = true);
    place.publish("speed", [9, 9], full(&place).into_iter().filter(without_memory).collect(), |_| {});
    place.publish(
        "native",
        [10, 10],
        CELLS[..2].iter().flat_map(|c| [numbers(*c, first), numbers(*c, second)]).flatten().collect(),
        |_| {},
    );
    let (shown, others) = place.shown();
    assert_eq!(shown, "whole");
    let lacks = |what: &str, more: usize| format!("it lacks {what} and {more} more numbers, which another run has");
    let expected = [
        ("changed", "its tree had uncommitted changes".to_string()),
        ("failed", "1 of its runs failed".into()),
        ("native", lacks(&format!("decode of wasm/simd128 on `{}`", first.min(second)), 3)),
        ("one-cell", lacks(&format!("decode of native/avx2 on `{}`", second), 9)),
        ("quick", "it is a quick run".into()),
        ("quick-cell", "it is a quick run".into()),
        ("speed", lacks(&format!("peak memory of native/avx2 on `{}`", first.min(second)), 5)),
    ];
    let found: Vec<(&str, String)> = others.iter().map(|(name, why)| (name.as_str(), why.clone())).collect();
    assert_eq!(found, expected);
    assert!(place.is_current(), "none of them is shown");
}

#[test]
fn what_a_machine_cannot_run_is_no_gap_and_what_it_lacks_a_tool_for_is_one() {
    let place = Place::new();
    place.publish("first", [3, 3], full(&place), |_| {});
    let without_avx2: Vec<Row> = CELLS
        .iter()
        .filter(|cell| cell.1 != "avx2")
        .flat_map(|c| place.names.iter().flat_map(|name| numbers(*c, name)))
        .collect();
    let skipped = |cause, expected| {
        let skip = Skip { cause, reason: "why".into() };
        [without_avx2.clone(), vec![Row::skipped(Cell::named("native", "avx2").unwrap(), None, &skip, expected)]]
            .concat()
    };
    place.publish("tools", [4, 4], skipped(Cause::Tools, true), |_| {});
    place.publish("surprise", [5, 5], skipped(Cause::Cpu, false), |_| {});
    assert_eq!(place.shown().0, "first");
    place.publish("another-cpu", [6, 6], skipped(Cause::Cpu, true), |_| {});
    assert_eq!(place.shown().0, "another-cpu");
}

#[test]
fn a_workload_that_is_gone_is_not_asked_for_and_a_new_one_is_from_then_on() {
    let place = Place::new();
    let with = |workload: &str| [full(&place), numbers(CELLS[0], workload)].concat();
    place.publish("first", [3, 3], with("gone/greedy"), |_| {});
    place.publish("second", [4, 4], full(&place), |_| {});
    assert_eq!(place.shown().0, "second");
    let third = &workloads::read(&place.workspace).unwrap().1[2].case;
    place.publish("third", [5, 5], with(third), |_| {});
    place.publish("fourth", [6, 6], full(&place), |_| {});
    assert_eq!(place.shown().0, "third");
}

#[test]
fn where_no_run_may_be_shown_the_readme_shows_none() {
    let place = Place::new();
    place.publish("quick", [3, 3], full(&place), |run| run.quick = true);
    assert_eq!(place.shown().0, "");
    assert!(place.is_current());
    let readme = "<!-- results:begin -->\nfast\n<!-- results:end -->\n";
    write_atomic(&place.workspace.root.join("README.md"), readme.as_bytes()).unwrap();
    let published = Published::load(&place.workspace).unwrap();
    let stale = check::stale(&place.workspace, &[], &published).unwrap();
    assert_eq!(stale, ["README.md, which shows results although no published run may be shown"]);
}

#[test]
fn a_copy_that_was_put_aside_is_no_published_run() {
    let place = Place::new();
    place.publish("first", [3, 3], full(&place), |_| {});
    for name in ["first~", "first.bak", ".first"] {
        place.publish(name, [9, 9], full(&place), |_| {});
    }
    assert_eq!(place.shown(), ("first".into(), Vec::new()));
    assert_eq!(report::published(&place.workspace), [place.workspace.reports().join("first")]);
}

#[test]
fn the_newest_run_of_another_kind_of_cpu_stands_beside() {
    let place = Place::new();
    let on = |cpu: &'static str| move |provenance: &mut Provenance| provenance.cpu = cpu.into();
    place.publish("older", [1, 1], full(&place), on("AMD EPYC"));
    place.publish("other", [2, 2], full(&place), on("AMD EPYC 9004"));
    place.publish("quick", [3, 3], full(&place), |provenance| {
        provenance.cpu = "AMD EPYC".into();
        provenance.quick = true;
    });
    place.publish("newest", [4, 4], full(&place), on("Intel(R) Xeon(R) Processor"));
    place.write_readme();
    let (shown, others) = place.shown();
    let others: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((shown.as_str(), others.as_slice()), ("newest", ["older", "quick"].as_slice()));
    let readme = std::fs::read_to_string(place.workspace.root.join("README.md")).unwrap();
    let intel = readme.find("on Intel(R) Xeon(R) Processor at commit").unwrap();
    let amd = readme.find("on AMD EPYC 9004 at commit").unwrap();
    assert!(intel < amd, "{readme}");
    assert!(readme[amd..].contains("[reports/other/report.md](reports/other/report.md)"), "{readme}");
    assert!(!readme.contains("reports/older"), "{readme}");
}
