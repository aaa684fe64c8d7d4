//! `cargo xtask report` as a process: its exit codes and output.
#![allow(clippy::unwrap_used)]

use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{self, Row};
use bitstate_harness::workspace::environment::command;
use std::path::Path;

/// Records of one cell that takes `time` ns per token.
fn records(path: &Path, target: &str, commit: &str, time: u64) {
    let sample = |metric: &str, value: u64| Row::Sample {
        target: target.into(),
        variant: "generic".into(),
        workload: "w".into(),
        model: "00000000000000aa".into(),
        sample: 0,
        phase: "decode".into(),
        metric: metric.into(),
        unit: String::new(),
        direction: Direction::Lower,
        value,
    };
    let started = "2026-01-31T10:00:00Z".into();
    let run = Provenance { name: "run".into(), commit: commit.into(), started, ..Provenance::default() };
    records::write(path, &[Row::Run(Box::new(run)), sample("time", time), sample("tokens", 1)]).unwrap();
}

/// A minimal workspace in which a report can be generated.
fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("golden")).unwrap();
    std::fs::create_dir(folder.path().join("xtask")).unwrap();
    std::fs::create_dir(folder.path().join("ci")).unwrap();
    for name in ["targets.toml", "workloads.toml"] {
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci").join(name);
        std::fs::copy(real, folder.path().join("ci").join(name)).unwrap();
    }
    let targets = std::fs::read_to_string(folder.path().join("ci/targets.toml")).unwrap();
    for script in targets.lines().filter_map(|line| line.strip_prefix("script = \"")?.strip_suffix('"')) {
        let script = folder.path().join(script);
        std::fs::create_dir_all(script.parent().unwrap()).unwrap();
        std::fs::write(script, "").unwrap();
    }
    std::fs::write(folder.path().join("xtask/Cargo.toml"), "").unwrap();
    std::fs::write(folder.path().join("README.md"), "<!-- results:begin -->\n<!-- results:end -->\n").unwrap();
    folder
}

/// Runs `report` there; its exit code and output.
fn report(root: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = command(env!("CARGO_BIN_EXE_xtask"));
    let output = command.current_dir(root).arg("report").args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

#[test]
fn a_stale_readme_or_chart_ends_the_check_with_2() {
    let folder = workspace();
    let root = folder.path();
    records(&root.join("reports/run/records.jsonl"), "native", "c0ffee", 1_000_000);
    assert_eq!(report(root, &["--readme"]).0, 0);
    assert_eq!(report(root, &["--check"]), (0, "1 published reports and README.md are current\n".into()));
    for (path, from, stale) in [
        ("README.md", "1,000 tokens/s", "not current: README.md, which must show the results of reports/run\n"),
        ("reports/run/charts/throughput.svg", "1,000", "not current: reports/run/charts/throughput.svg\n"),
        ("reports/run/report.md", "1,000", "not current: reports/run/report.md\n"),
    ] {
        let path = root.join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, "2,000")).unwrap();
        let advice = "`cargo xtask report --readme` regenerates them\n";
        assert_eq!(report(root, &["--check"]), (2, format!("{stale}{advice}")));
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(report(root, &["--check"]).0, 0);

    // A file of another run in the folder.
    let left_over = root.join("reports/run/charts/roof.svg");
    std::fs::write(&left_over, "<svg/>").unwrap();
    let (code, said) = report(root, &["--check"]);
    let stale = "not current: reports/run/charts/roof.svg, which the records do not produce\n";
    assert!(code == 2 && said.starts_with(stale), "{code} {said}");
    assert_eq!(report(root, &[]).0, 0);
    assert!(!left_over.exists());
    assert_eq!(report(root, &["--check"]).0, 0);
}

#[test]
fn what_the_readme_does_not_show_is_said_with_the_reason() {
    let folder = workspace();
    let root = folder.path();
    records(&root.join("reports/run/records.jsonl"), "native", "c0ffee", 1_000_000);
    assert_eq!(report(root, &["--readme"]).0, 0);
    // One cell of a quick run, published later.
    records(&root.join("reports/later/records.jsonl"), "wasm", "c0ffee", 9_000_000);
    let path = root.join("reports/later/records.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let quick = text.replace("\"quick\":false", "\"quick\":true").replace("2026-01-31", "2026-02-01");
    std::fs::write(&path, quick).unwrap();
    let readme = std::fs::read(root.join("README.md")).unwrap();
    let (code, said) = report(root, &["--readme"]);
    assert!(code == 0 && said.contains("README.md does not show reports/later: it is a quick run\n"), "{said}");
    assert_eq!(std::fs::read(root.join("README.md")).unwrap(), readme);
    assert_eq!(report(root, &["--check"]), (0, "2 published reports and README.md are current\n".into()));
    std::fs::remove_dir_all(root.join("reports/run")).unwrap();
    let (code, said) = report(root, &["--readme"]);
    assert!(code == 2 && said.contains("no published run may be shown in README.md"), "{code} {said}");
    let stale = "not current: README.md, which shows results although no published run may be shown\n";
    let (code, said) = report(root, &["--check"]);
    assert!(code == 2 && said.starts_with(stale), "{code} {said}");
}

#[test]
fn an_older_run_keeps_little_and_all_of_it_is_made_again_elsewhere() {
    let folder = workspace();
    let root = folder.path();
    records(&root.join("reports/2026-01-31-run/records.jsonl"), "native", "c0ffee", 1_000_000);
    assert_eq!(report(root, &["--readme"]).0, 0);
    let later = root.join("reports/2026-02-01-run/records.jsonl");
    records(&later, "native", "decade", 500_000);
    let text = std::fs::read_to_string(&later).unwrap().replace("2026-01-31", "2026-02-01");
    std::fs::write(&later, text).unwrap();
    let (code, said) = report(root, &["--check"]);
    let stale = "not current: reports/2026-01-31-run/report.html, which is not kept of a published run once there is a newer \
                 one\n";
    assert!(code == 2 && said.contains(stale), "{code} {said}");
    assert!(said.contains("not current: reports/2026-02-01-run/records.jsonl, which is not kept of a published run\n"));
    assert_eq!(report(root, &["--readme"]).0, 0);
    assert_eq!(report(root, &["--check"]), (0, "2 published reports and README.md are current\n".into()));
    let old = root.join("reports/2026-01-31-run");
    assert_eq!(std::fs::read_dir(&old).unwrap().count(), 2);

    let (code, said) = report(root, &["reports/2026-01-31-run"]);
    assert_eq!((code, said.as_str()), (0, "generated target/bitstate/published/2026-01-31-run/report.html\n"));
    let apart = root.join("target/bitstate/published/2026-01-31-run");
    for name in ["records.jsonl", "report.json", "report.html", "charts/throughput.svg", "charts/throughput.png"] {
        assert!(apart.join(name).is_file(), "{name}");
    }
    assert_eq!(report(root, &["--check"]).0, 0, "nothing was added to the run");

    // Truncated, as by a full disk while copying.
    let packed = std::fs::read(old.join("records.jsonl.gz")).unwrap();
    std::fs::write(old.join("records.jsonl.gz"), &packed[..packed.len() / 2]).unwrap();
    let (code, said) = report(root, &["--check"]);
    assert!(code == 2 && said.contains("2026-01-31-run/records.jsonl.gz"), "{code} {said}");
}

#[test]
fn merging_ends_with_3_where_runs_must_not_be_mixed_and_leaves_nothing_behind() {
    let folder = workspace();
    let root = folder.path();
    records(&root.join("a.jsonl"), "native", "c0ffee", 1_000_000);
    records(&root.join("b/records.jsonl"), "wasm", "c0ffee", 2_000_000);
    records(&root.join("c.jsonl"), "wasm", "decade", 2_000_000);
    let (code, said) = report(root, &["--merge", "a.jsonl", "b", "--out", "out"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("shard 2 of 2, b: 2 rows") && said.contains("report: out/report.html"), "{said}");
    assert!(std::fs::read_to_string(root.join("out/report.md")).unwrap().contains("| 2 | `w` | wasm | generic |"));
    // A merge into a folder with a report removes that report's files.
    std::fs::write(root.join("out/charts/roof.png"), "old").unwrap();
    assert_eq!(report(root, &["--merge", "a.jsonl", "b", "--out", "out"]).0, 0);
    assert!(root.join("out/charts/throughput.png").is_file() && !root.join("out/charts/roof.png").exists());

    let (code, said) = report(root, &["--merge", "a.jsonl", "c.jsonl", "--out", "other"]);
    let sentence = "error: cannot merge: the commit is `c0ffee` in a.jsonl and `decade` in c.jsonl";
    assert!(code == 3 && said.starts_with(sentence), "{code} {said}");
    let (code, said) = report(root, &["--merge", "b", "b/records.jsonl", "--out", "other"]);
    assert!(code == 3 && said.contains("`wasm/generic` on `w` is in both b/records.jsonl and"), "{code} {said}");
    assert!(!root.join("other").exists());

    for (arguments, sentence) in [
        (&["--merge", "a.jsonl", "--out", "b", "b"][..], "cannot be used with"),
        (&["--merge", "a.jsonl", "--out", "b"], "--out is b, which has the report of a run: name another folder"),
        (&["--merge", "b", "a.jsonl", "--out", "b"], "--out is b, which is one of the runs to merge"),
        (&["--merge", "gone.jsonl", "--out", "other"], "cannot read gone.jsonl"),
        (&["--merge", "a.jsonl"], "--out <DIR>"),
    ] {
        let (code, said) = report(root, arguments);
        assert!(code == 2 && said.contains(sentence), "{arguments:?} {code} {said}");
    }
}

#[test]
fn a_check_says_the_same_by_its_code_when_nobody_reads_it() {
    let folder = workspace();
    let root = folder.path();
    records(&root.join("reports/run/records.jsonl"), "native", "c0ffee", 1_000_000);
    let check = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(env!("CARGO_BIN_EXE_xtask"));
        let output = command.current_dir(root).args(["report", "--check"]).stdout(writer).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(report(root, &["--readme"]).0, 0);
    assert_eq!(check(), (0, String::new()));
    std::fs::write(root.join("reports/run/report.md"), "edited").unwrap();
    assert_eq!(check(), (2, String::new()));
}
