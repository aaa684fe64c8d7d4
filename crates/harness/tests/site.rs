//! The static site of the published runs, and what the first lines of a report say.
#![allow(clippy::unwrap_used)]

use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::records::Row;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::report::history::Published;
use bitstate_harness::report::{self, markdown, site};
use bitstate_harness::workspace::Workspace;
use std::path::Path;

fn sample(phase: &str, metric: &str, value: u64) -> Row {
    let [target, variant, workload, model] = ["native", "avx2", "w", "00000000000000aa"].map(str::to_string);
    let (phase, metric, direction) = (phase.into(), metric.into(), Direction::Lower);
    Row::Sample { target, variant, workload, model, sample: 0, phase, metric, unit: String::new(), direction, value }
}

/// A workspace with these runs: name, day and CPU.
fn workspace(root: &Path, runs: &[(&str, u32, &str)]) -> Workspace {
    let workspace = Workspace { target: root.join("target"), root: root.join("root") };
    for (name, day, cpu) in runs {
        let provenance = Provenance {
            name: name.to_string(),
            started: format!("2026-01-{day:02}T10:00:00Z"),
            cpu: cpu.to_string(),
            cpus: 2,
            ..Provenance::default()
        };
        let verified =
            Row::Verified { target: "native".into(), variant: "avx2".into(), workload: "w".into(), steps: 3 };
        let [target, variant, workload, model, unit] = ["native", "avx2", "w", "0", "ns/token"].map(str::to_string);
        let peer = Row::Peer {
            target,
            variant,
            workload,
            model,
            peer: "other".into(),
            network: "f32".into(),
            round: 0,
            unit,
            values: [100_000, 250_000],
        };
        let rows = [sample("decode", "tokens", 10), sample("decode", "time", 1_000_000), verified, peer];
        let folder = workspace.reports().join(name);
        report::write(&folder, &provenance, &rows, &Published::load(&workspace).unwrap()).unwrap();
    }
    workspace
}

fn made(workspace: &Workspace, out: &Path) -> Result<usize, String> {
    site::write(workspace, out, &Published::load(workspace).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn the_site_has_every_run_and_the_newest_of_each_machine() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = workspace(folder.path(), &[("first", 1, "A"), ("second", 2, "B"), ("third", 3, "A")]);
    let out = folder.path().join("public/site");
    assert_eq!(made(&workspace, &out), Ok(3));
    // The template escapes slashes in text.
    let page = std::fs::read_to_string(out.join("index.html")).unwrap().replace("&#x2f;", "/");
    for link in ["first/report.html", "second/report.html", "third/report.html", "third/records.jsonl.gz"] {
        assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
        assert!(out.join(link).is_file(), "{link}");
    }
    let headings: Vec<&str> = page.split("<h2>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(headings, ["A", "B", "Every run", "History"]);
    assert!(page.contains("10,000 tokens/s with native/avx2"), "{page}");
    assert!(page.contains("the run before on this kind of machine, first, had 10,000"), "{page}");
    assert!(page.contains("<svg"), "the history is drawn");
    // Nothing of the making is left beside it.
    assert_eq!(std::fs::read_dir(folder.path().join("public")).unwrap().count(), 1);

    // A second site replaces the first, and what is no longer published goes.
    std::fs::remove_dir_all(workspace.reports().join("first")).unwrap();
    assert_eq!(made(&workspace, &out), Ok(2));
    assert!(!out.join("first").exists());
}

#[test]
fn a_folder_with_something_else_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = workspace(folder.path(), &[("first", 1, "A")]);
    let out = folder.path().join("home");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("thesis.txt"), "years of work").unwrap();
    let error = made(&workspace, &out).unwrap_err();
    assert!(error.contains("has files that are not those of a site"), "{error}");
    let file = out.join("thesis.txt");
    assert!(made(&workspace, &file).unwrap_err().contains("is not a folder"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "years of work");
}

#[test]
fn without_a_published_run_there_is_no_site() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = workspace(folder.path(), &[]);
    assert!(made(&workspace, &folder.path().join("site")).unwrap_err().contains("no run is published"));
}

#[test]
fn a_report_says_first_whether_all_is_right_and_how_fast_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = workspace(folder.path(), &[("first", 1, "A CPU")]);
    let page = markdown::page(&report::read(&workspace.reports().join("first")).unwrap());
    let expected = "\
# Benchmark: first

- Everything is right: 1 answers were checked, and each is the golden one to the bit.
- Measured on A CPU, 2 processors, 2026-01-01, commit .
- `w`: 10,000 tokens/s with `native/avx2`; 2.50 × (2.50 to 2.50) as fast as the fastest peer, other.
";
    assert!(page.starts_with(expected), "{page}");
}
