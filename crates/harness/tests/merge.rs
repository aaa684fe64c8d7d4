//! Merging shards of one commit into one file and report; which shards are refused; how a merged file is read.
#![allow(clippy::unwrap_used)]

use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::definitions::thresholds::TimeLimits;
use bitstate_harness::records::merge::merge;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{self, Row, read, read_parts};
use bitstate_harness::report::history::Published;
use bitstate_harness::report::{self, Holds, Report, markdown, overview, tables};
use bitstate_harness::{Error, Exit};
use std::path::{Path, PathBuf};

fn sample(cell: (&str, &str), workload: &str, phase: &str, metric: &str, value: u64) -> Row {
    Row::Sample {
        target: cell.0.into(),
        variant: cell.1.into(),
        workload: workload.into(),
        model: "00000000000000aa".into(),
        sample: 0,
        phase: phase.into(),
        metric: metric.into(),
        unit: String::new(),
        direction: Direction::Lower,
        value,
    }
}

/// A cell on one workload: 100 tokens at `time` ns each, 1 MB each, and reads of 1 MB at `rate` GB/s.
fn cell(cell: (&str, &str), workload: &str, time: u64, rate: u64) -> Vec<Row> {
    vec![
        sample(cell, workload, "decode", "time", 100 * time),
        sample(cell, workload, "decode", "tokens", 100),
        sample(cell, workload, "decode", "bytes", 100_000_000),
        sample(cell, "roof/1000000", "kernel", "bytes", 1_000_000_000),
        sample(cell, "roof/1000000", "kernel", "time", 1_000_000_000 / rate),
        Row::Verified { target: cell.0.into(), variant: cell.1.into(), workload: workload.into(), steps: 3 },
    ]
}

fn provenance(cpu: &str) -> Provenance {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    Provenance {
        name: "ci".into(),
        command: "cargo xtask bench".into(),
        started: "2026-01-31T10:00:00Z".into(),
        commit: "c0ffee".into(),
        cpu: cpu.into(),
        cpus: 2,
        golden: "00000000000000bb".into(),
        tools: pairs(&[("rustc", "rustc 1.95"), ("QEMU", "7.2")]),
        models: pairs(&[("a", "00000000000000aa")]),
        ..Provenance::default()
    }
}

fn file(folder: &Path, name: &str, provenance: Provenance, rows: Vec<Row>) -> PathBuf {
    let path = folder.join(name);
    let all: Vec<Row> = std::iter::once(Row::Run(Box::new(provenance))).chain(rows).collect();
    records::write(&path, &all).unwrap();
    path
}

/// Two shards: native on one machine, WebAssembly on a slower one.
fn shards(folder: &Path) -> [PathBuf; 2] {
    let native = cell(("native", "avx2"), "w", 100_000, 50);
    let wasm = cell(("wasm", "simd128"), "w", 200_000, 10);
    [
        file(folder, "native.jsonl", provenance("Fast CPU"), native),
        file(folder, "on-wasm/records.jsonl", provenance("Slow CPU"), wasm),
    ]
}

#[test]
fn shards_become_one_file_with_each_row_under_its_machine() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("merged/records.jsonl");
    let [native, wasm] = shards(folder.path());
    merge(&[native.clone(), wasm.parent().unwrap().to_path_buf()], &out).unwrap();
    let parts = read_parts(&out).unwrap();
    let shard = |i: usize| parts[i].provenance.shard.clone().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!((shard(0).index, shard(0).of, shard(0).name.as_str()), (1, 2, "native"));
    assert_eq!((shard(1).index, shard(1).of, shard(1).name.as_str()), (2, 2, "on-wasm"));
    assert_eq!(parts[1].provenance.cpu, "Slow CPU");
    assert_eq!([&parts[0].rows, &parts[1].rows], [&read(&native).unwrap().1, &read(&wasm).unwrap().1]);
    assert!(read(&out).unwrap_err().to_string().contains("merged from several runs"));

    // A merged file can be merged with another, giving the parts of both.
    let xtensa = vec![sample(("xtensa", "lut"), "w", "decode", "instructions", 5)];
    let third = file(folder.path(), "xtensa.jsonl", provenance("Third CPU"), xtensa);
    let all = folder.path().join("all.jsonl");
    merge(&[out, third], &all).unwrap();
    let names: Vec<String> = read_parts(&all).unwrap().iter().map(|p| p.provenance.cpu.clone()).collect();
    assert_eq!(names, ["Fast CPU", "Slow CPU", "Third CPU"]);
}

#[test]
fn the_report_says_where_each_target_was_measured_and_divides_nothing_across() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("merged");
    merge(&shards(folder.path()), &out.join("records.jsonl")).unwrap();
    report::render(&out, &Published::default(), Holds::Everything).unwrap();
    assert_eq!(report::outdated(&out, &Published::default(), Holds::Everything).unwrap(), Vec::<String>::new());
    let page = std::fs::read_to_string(out.join("report.md")).unwrap();
    for line in [
        "Everything is right: 2 answers were checked, and each is the golden one to the bit.",
        "Shard 2, on-wasm: measured on Slow CPU, 2 processors, 2026-01-31, commit c0ffee.",
        "| 1 | native | native: avx2 | Fast CPU, 2 processors, , kernel  | 2026-01-31T10:00:00Z | cargo xtask bench |",
        "| 2 | on-wasm | wasm: simd128 | Slow CPU, 2 processors, , kernel  | 2026-01-31T10:00:00Z | cargo xtask bench |",
        // 1 MB in 100 µs is 10 GB/s of 50; in 200 µs it is 5 of the 10 of its own machine.
        "| 1 | `w` | native | avx2 | 10,000 | 1.00 MB | 10.0 | 1.00 MB | 50.0 | 50.0 (avx2) | 20 % |",
        "| 2 | `w` | wasm | simd128 | 5,000 | 1.00 MB | 5.00 | 1.00 MB | 10.0 | 10.0 (simd128) | 50 % |",
        "## Provenance of shard 2: on-wasm",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.contains("wasm/simd128 (2)") && html.contains("variants of different shards cannot be compared"));
    let read = report::read(&out).unwrap();
    let overview = overview::table(&read);
    assert_eq!(overview.columns[0], "shard");
    assert_eq!(overview.rows.len(), 2);
    let text = "<!-- results:begin --><!-- results:end -->";
    let readme = markdown::readme(text, (&read, Path::new("reports/x")), &[]).unwrap();
    assert!(readme.contains("on Fast CPU and Slow CPU at commit c0ffee"), "{readme}");
}

#[test]
fn what_must_be_the_same_and_is_not_is_named_with_both_files() {
    type Change = fn(&mut Provenance);
    let cases: [(&str, Change); 9] = [
        ("the commit is `c0ffee` in A and `decade` in B", |p| p.commit = "decade".into()),
        ("the digest of local changes is none in A and changes that it does not identify in B", |p| {
            p.dirty = true;
        }),
        ("the digest of the golden streams is `00000000000000bb` in A and `cc` in B", |p| p.golden = "cc".into()),
        ("`quick` is false in A and true in B", |p| p.quick = true),
        ("the digest of model `a` is `00000000000000aa` in A and `dd` in B", |p| {
            p.models.insert("a".into(), "dd".into());
        }),
        ("the version of rustc is `rustc 1.95` in A and `rustc 1.96` in B", |p| {
            p.tools.insert("rustc".into(), "rustc 1.96".into());
        }),
        // These may differ: another machine, a model that only one has, a tool that did not count on both.
        ("", |p| p.kernel = "7.0".into()),
        ("", |p| {
            p.models.insert("b".into(), "ee".into());
        }),
        ("", |p| {
            p.tools.insert("QEMU".into(), "8.0".into());
        }),
    ];
    for (sentence, change) in cases {
        let folder = tempfile::tempdir().unwrap();
        let [a, _] = shards(folder.path());
        let mut other = provenance("Slow CPU");
        change(&mut other);
        let b = file(folder.path(), "b.jsonl", other, cell(("wasm", "simd128"), "w", 1, 1));
        let out = folder.path().join("out.jsonl");
        let answer = merge(&[a.clone(), b.clone()], &out);
        if sentence.is_empty() {
            assert_eq!(answer.unwrap().len(), 2);
            continue;
        }
        refused(answer.unwrap_err(), sentence, [&a, &b]);
        assert!(!out.exists());
    }
}

/// Checks that an error contains the message about these files, and has exit code 3.
fn refused(error: Error, sentence: &str, [a, b]: [&Path; 2]) {
    assert_eq!(error.exit(), Exit::NotMeasurable);
    let said = error.to_string().replace(&a.display().to_string(), "A").replace(&b.display().to_string(), "B");
    assert!(said.contains(sentence), "{said}\nis not\n{sentence}");
}

#[test]
fn local_changes_must_be_the_same_ones() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str, variant: &str, changes: Option<&str>| {
        let p = Provenance { dirty: true, changes: changes.map(str::to_string), ..provenance("CPU") };
        file(folder.path(), name, p, cell(("native", variant), "w", 1, 1))
    };
    let out = folder.path().join("out.jsonl");
    let (a, b) = (with("a.jsonl", "avx2", Some("11")), with("b.jsonl", "ssse3", Some("11")));
    merge(&[a.clone(), b], &out).unwrap();
    let c = with("c.jsonl", "ssse3", Some("22"));
    refused(merge(&[a.clone(), c.clone()], &out).unwrap_err(), "is `11` in A and `22` in B", [&a, &c]);
    let (d, e) = (with("d.jsonl", "avx2", None), with("e.jsonl", "ssse3", None));
    let sentence = "is changes that it does not identify in A and changes that it does not identify in B";
    refused(merge(&[d.clone(), e.clone()], &out).unwrap_err(), sentence, [&d, &e]);
}

#[test]
fn the_same_row_of_two_shards_is_refused_and_so_is_another_schema() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.jsonl");
    let [a, _] = shards(folder.path());
    let mut rows = cell(("wasm", "simd128"), "w", 1, 1);
    rows.extend(cell(("native", "avx2"), "w", 1, 1));
    let b = file(folder.path(), "b.jsonl", provenance("CPU"), rows);
    let error = merge(&[a.clone(), b.clone()], &out).unwrap_err();
    refused(error, "`native/avx2` on `w` is in both A and B: leave it out of one of them", [&a, &b]);
    // The same cell on another workload is another row, with its own memory reads.
    let c = file(folder.path(), "c.jsonl", provenance("CPU"), cell(("native", "avx2"), "v", 1, 1));
    assert_eq!(merge(&[a.clone(), c], &out).unwrap().len(), 2);
    // Counters of one target from two versions of the counting tool.
    let count = |variant| vec![sample(("xtensa", variant), "w", "decode", "instructions", 5)];
    let d = file(folder.path(), "d.jsonl", provenance("CPU"), count("lut"));
    let mut newer = provenance("CPU");
    newer.tools.insert("QEMU".into(), "8.0".into());
    let e = file(folder.path(), "e.jsonl", newer, count("generic"));
    refused(
        merge(&[d.clone(), e.clone()], &out).unwrap_err(),
        "the version of QEMU is `7.2` in A and `8.0` in B",
        [&d, &e],
    );

    let text = std::fs::read_to_string(&b).unwrap();
    let schema = format!("\"schema\":{}", records::SCHEMA);
    std::fs::write(&b, text.replace(&schema, "\"schema\":77")).unwrap();
    let sentence = format!("the schema is {} in A and 77 in B", records::SCHEMA);
    refused(merge(&[a.clone(), b.clone()], &out).unwrap_err(), &sentence, [&a, &b]);
}

#[test]
fn runs_that_were_only_appended_and_parts_that_are_missing_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = shards(folder.path());
    let (a_text, b_text) = (std::fs::read_to_string(&a).unwrap(), std::fs::read_to_string(&b).unwrap());
    let path = folder.path().join("x.jsonl");
    let says = |text: &str, sentence: &str| {
        std::fs::write(&path, text).unwrap();
        let error = read_parts(&path).unwrap_err().to_string();
        assert!(error.contains(sentence) && error.contains("x.jsonl"), "{error}");
    };
    says(&format!("{a_text}{b_text}"), "a second `run` row");
    let out = folder.path().join("out.jsonl");
    merge(&[a, b], &out).unwrap();
    let merged = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = merged.lines().collect();
    let end = format!("{{\"row\":\"end\",\"rows\":7,\"schema\":{}}}\n", records::SCHEMA);
    says(&format!("{}\n{end}", lines[..7].join("\n")), "it ends with part 1 of 2");
    says(&format!("{}\n", lines[..14].join("\n")), "there is no closing row `end`");
    says(&lines[7..].join("\n"), "line 1: part 2 of 2 follows nothing");
    says(&format!("{merged}{merged}"), "line 16: it follows the closing row `end`");
    says(&format!("{merged}{a_text}"), "a second `run` row");
    // The same row in two parts, edited by hand.
    let twice = merged.replace("wasm", "native").replace("simd128", "avx2");
    std::fs::create_dir(folder.path().join("twice")).unwrap();
    std::fs::write(folder.path().join("twice/records.jsonl"), twice).unwrap();
    let error = report::render(&folder.path().join("twice"), &Published::default(), Holds::Everything).unwrap_err();
    assert!(error.to_string().contains("is in both part 1 of") && error.exit() == Exit::NotMeasurable, "{error}");
}

#[test]
fn the_order_of_tables_and_charts_does_not_depend_on_that_of_the_shards() {
    let folder = tempfile::tempdir().unwrap();
    let xtensa =
        ["instructions", "tokens"].map(|metric| sample(("xtensa", "lut"), "w", "decode", metric, 100)).to_vec();
    let xtensa = file(folder.path(), "xtensa.jsonl", provenance("CPU"), xtensa);
    let [native, _] = shards(folder.path());
    let names = |files: &[PathBuf]| {
        let out = folder.path().join("out.jsonl");
        merge(files, &out).unwrap();
        let report = Report::of_parts(&read_parts(&out).unwrap());
        let charts: Vec<&str> = report::charts::all(&report).iter().map(|chart| chart.name).collect();
        (charts, tables::all(&report).into_iter().map(|table| table.title).collect::<Vec<_>>())
    };
    let (charts, titles) = names(&[native.clone(), xtensa.clone()]);
    assert_eq!(charts, ["throughput", "roof", "xtensa", "phases-time", "phases-instructions"]);
    assert_eq!(titles[..3], ["Speed", "Decode compared with the roof", "Memory bandwidth"]);
    let (other_charts, other_titles) = names(&[xtensa, native]);
    assert_eq!((other_charts, other_titles), (charts, titles));
}

#[test]
fn comparisons_keep_their_shard() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = |target: &str| -> Vec<Row> {
        let row = |i: u32| Row::Pair {
            target: target.into(),
            workload: "w".into(),
            model: "00000000000000aa".into(),
            sides: [format!("{target}/generic x"), format!("{target}/generic y")],
            noise: i % 2 == 1,
            round: 0,
            pair: i / 2,
            second_first: i % 4 < 2,
            phase: "decode".into(),
            metric: "time".into(),
            unit: "ns".into(),
            values: [1_000_000, 1_000_000 + u64::from(i)],
        };
        (0..40).map(row).collect()
    };
    let limits = Some(TimeLimits { floor: 0.01, ceiling: 0.05 });
    let of = |target: &str| {
        let p = Provenance { time_limits: limits, ..provenance(target) };
        file(folder.path(), &format!("{target}.jsonl"), p, pairs(target))
    };
    let out = folder.path().join("merged");
    merge(&[of("native"), of("wasm")], &out.join("records.jsonl")).unwrap();
    report::render(&out, &Published::default(), Holds::Everything).unwrap();
    let read = report::read(&out).unwrap();
    let table = tables::first(&read).into_iter().find(|table| table.title == "Comparison").unwrap();
    let found: Vec<(&str, &str)> = table.rows.iter().map(|row| (row[0].as_str(), row[7].as_str())).collect();
    assert_eq!(found, [("1", "native/generic x"), ("2", "wasm/generic x")]);
    let charts = report::charts::all(&read);
    let names: Vec<&str> = charts.iter().map(|chart| chart.name).collect();
    assert_eq!(names, ["comparison", "noise"]);
    // 20 A/A pairs per side, each a dot.
    let dots: Vec<usize> = charts[1].panels.iter().map(|panel| panel.rows[0].dots.len()).collect();
    assert_eq!(dots, [20, 20]);
}
