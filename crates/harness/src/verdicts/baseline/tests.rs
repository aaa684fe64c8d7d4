//! What is accepted, what stays, and which files are refused.

use super::{Baseline, Change, accept, load, path};
use crate::records::counter::Counter;
use crate::records::provenance::Provenance;
use crate::workspace::{Workspace, write_atomic};

fn counter(workload: &str, value: u64) -> Counter {
    Counter {
        target: "native".into(),
        variant: "avx2".into(),
        workload: workload.into(),
        phase: "decode".into(),
        metric: "instructions".into(),
        unit: "instructions".into(),
        value,
        parts: Default::default(),
        key: [("rustc".to_string(), "1".to_string())].into(),
        unconfirmed: false,
    }
}

fn workspace() -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_path_buf();
    (folder, Workspace { target: root.join("target"), root })
}

#[test]
fn accepting_writes_who_when_why_and_the_numbers() {
    let (_folder, workspace) = workspace();
    let take =
        |counters: &[Counter], reason: &str| accept(&workspace, counters, |_| true, reason, &Provenance::default());
    assert!(take(&[counter("a", 100)], " ").unwrap_err().to_string().contains("--reason is empty"));
    take(&[counter("a", 100), counter("gone", 7)], "first").unwrap();
    let changes = take(&[counter("a", 120), counter("new", 5)], "the head reads twice").unwrap();
    let key = [("rustc".to_string(), "1".to_string())];
    let change = |row: &str, from, to: Option<u64>| {
        let key = to.map(|_| key.clone().into());
        Change { row: format!("native/avx2 {row} decode instructions"), from, to, key }
    };
    let expected = [change("a", Some(100), Some(120)), change("new", None, Some(5)), change("gone", Some(7), None)];
    assert_eq!(changes["native"], expected);
    let baseline = &load(&workspace).unwrap()["native"];
    assert_eq!(baseline.rows, [counter("a", 120), counter("new", 5)]);
    let last = baseline.history.last().unwrap();
    assert_eq!((last.reason.as_str(), last.changes.as_slice()), ("the head reads twice", expected.as_slice()));
    assert!(!last.who.is_empty() && last.when.starts_with("20") && baseline.history.len() == 2);
    assert!(take(&[counter("a", 120), counter("new", 5)], "again").unwrap().is_empty(), "nothing changed");
    assert_eq!(load(&workspace).unwrap()["native"].history.len(), 2);
}

#[test]
fn what_was_not_counted_stays() {
    let (_folder, workspace) = workspace();
    accept(&workspace, &[counter("a", 1), counter("b", 2)], |_| true, "both", &Provenance::default()).unwrap();
    accept(&workspace, &[counter("a", 3)], |row| row.workload == "a", "one", &Provenance::default()).unwrap();
    assert_eq!(load(&workspace).unwrap()["native"].rows, [counter("a", 3), counter("b", 2)]);
}

#[test]
fn a_variant_that_the_accepting_machine_lacks_is_unconfirmed_until_one_that_has_it_accepts() {
    let (_folder, workspace) = workspace();
    let of = |variant: &str, workload: &str, value| Counter { variant: variant.into(), ..counter(workload, value) };
    let take = |cpu_features: &str, counters: &[Counter]| {
        let counted = |row: &Counter| counters.iter().any(|counter| counter.variant == row.variant);
        let provenance = Provenance { cpu_features: cpu_features.into(), ..Provenance::default() };
        accept(&workspace, counters, counted, "why", &provenance).unwrap();
        let rows = load(&workspace).unwrap()["native"].rows.clone();
        rows.into_iter().filter(|row| row.unconfirmed).map(|row| row.to_string()).collect::<Vec<_>>()
    };
    let (without, with) = ("avx2", "avx2 avx_vnni");
    assert!(take(without, &[of("avx2", "a", 1), of("avx2", "b", 2)]).is_empty());
    assert!(take(with, &[of("avx_vnni", "a", 1), of("avx_vnni", "b", 2)]).is_empty(), "new, not changed");
    let one = ["native/avx_vnni a decode instructions"];
    assert_eq!(take(without, &[of("avx2", "a", 9), of("avx2", "b", 2)]), one);
    assert_eq!(take(without, &[of("avx2", "a", 9), of("avx2", "b", 2)]), one, "it stays so");
    assert!(take(with, &[of("avx_vnni", "a", 8), of("avx_vnni", "b", 2)]).is_empty(), "it can run both");
}

#[test]
fn a_cut_altered_or_foreign_file_is_refused() {
    let rows = vec![counter("a", 1), counter("b", 2)];
    let text = Baseline { schema: 1, history: Vec::new(), rows }.to_text().unwrap();
    assert_eq!(Baseline::parse("native", &text).unwrap().rows.len(), 2);
    let refuse = |target: &str, text: &str| Baseline::parse(target, text).unwrap_err();
    assert!(refuse("native", &text[..text.len() / 2]).contains("EOF"));
    assert!(refuse("native", &text.replace("\"schema\":1", "\"schema\":9")).contains("schema 9, this build reads"));
    assert!(refuse("native", &text.replace("\"value\"", "\"valeu\"")).contains("valeu"));
    assert!(refuse("native", &text.replace("\"value\":1", "\"value\":-1")).contains("-1"));
    assert!(refuse("native", &text.replace("\"b\"", "\"a\"")).contains("is there twice"));
    let unknown = refuse("native", &text.replace("\"metric\":\"instructions\"", "\"metric\":\"instuctions\""));
    assert!(unknown.contains("no metric `instuctions`; did you mean `instructions`?"), "{unknown}");
    assert!(refuse("wasm", &text).contains("is of target `native`, the file of `wasm`"));
    let (_folder, workspace) = workspace();
    write_atomic(&path(&workspace, "natvie"), text.as_bytes()).unwrap();
    assert!(load(&workspace).unwrap_err().to_string().contains("no target has this name"));
}

#[test]
fn only_the_file_of_a_target_is_its_baseline() {
    let (_folder, workspace) = workspace();
    let text = |value| Baseline { schema: 1, history: Vec::new(), rows: vec![counter("a", value)] }.to_text().unwrap();
    let beside = |name: &str, bytes: &[u8]| write_atomic(&path(&workspace, "x").with_file_name(name), bytes).unwrap();
    beside("native.json", text(1).as_bytes());
    for name in
        ["native.json~", "native.bak", "native.old", "native.orig", "native", "native.json.orig", "zzz.json.swp"]
    {
        beside(name, text(9).as_bytes());
    }
    // Files of vim and emacs while a file is edited.
    beside(".native.json.swp", b"b0VIM 9.0\0\xff");
    beside("#native.json#", b"{");
    std::os::unix::fs::symlink("me@here.1:2", path(&workspace, "x").with_file_name(".#native.json")).unwrap();
    let baselines = load(&workspace).unwrap();
    assert_eq!(baselines.keys().collect::<Vec<_>>(), ["native"]);
    assert_eq!(baselines["native"].rows, [counter("a", 1)]);
    beside("native (copy).json", text(9).as_bytes());
    let error = load(&workspace).unwrap_err().to_string();
    assert!(error.contains("native (copy).json: no target has this name"), "{error}");
}

#[test]
fn a_bad_file_is_named_and_ends_with_2() {
    let text = Baseline { schema: 1, history: Vec::new(), rows: vec![counter("a", 1), counter("b", 2)] };
    let text = text.to_text().unwrap();
    for bad in [
        text[..text.len() / 2].to_string(),
        text.replace("\"b\"", "\"a\""),
        text.replace("\"value\":1", "\"value\":1e400"),
        text.replace("\"value\":1", "\"value\":\"many\""),
        text.replace("\"value\":1", "\"value\":-1"),
        text.replace("\"metric\":\"instructions\"", "\"metric\":\"time\""),
        text.replace("\"schema\":1", "\"schema\":2"),
        "[]".into(),
        String::new(),
    ] {
        let (_folder, workspace) = workspace();
        write_atomic(&path(&workspace, "native"), bad.as_bytes()).unwrap();
        let error = load(&workspace).unwrap_err();
        assert_eq!(error.exit().code(), 2, "{bad}");
        assert!(error.to_string().contains("ci/baselines/native.json: "), "{error}");
        // A file that cannot be read is not overwritten.
        let taken = accept(&workspace, &[counter("a", 1)], |_| true, "why", &Provenance::default());
        assert_eq!(taken.unwrap_err().exit().code(), 2);
        assert_eq!(std::fs::read_to_string(path(&workspace, "native")).unwrap(), bad);
    }
}

#[test]
fn the_steps_of_a_counter_are_kept_and_one_without_them_is_read() {
    let mut row = counter("a", 10);
    row.parts = [("head".to_string(), 4), ("ternary".to_string(), 6)].into();
    let text = Baseline { schema: 1, history: Vec::new(), rows: vec![row.clone(), counter("b", 2)] }.to_text().unwrap();
    assert!(text.contains(r#""parts":{"head":4,"ternary":6}"#) && text.matches("parts").count() == 1, "{text}");
    assert_eq!(Baseline::parse("native", &text).unwrap().rows, [row, counter("b", 2)]);
}
