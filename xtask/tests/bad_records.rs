//! `compare` and `report` with truncated, mixed or forged records: their messages and exit codes.
#![allow(clippy::unwrap_used)]

use bitstate_harness::records::unpack;
use bitstate_harness::workspace::environment::command;
use std::path::{Path, PathBuf};

/// Runs `cargo xtask` and returns its exit code and its output.
fn xtask(arguments: &[&Path]) -> (i32, String) {
    // A separate target folder, where no other run has to be waited for.
    let target = tempfile::tempdir().unwrap();
    let mut command = command(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(arguments).env("CARGO_TARGET_DIR", target.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
}

/// The compressed records of a published run.
fn published() -> PathBuf {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
    let folders = std::fs::read_dir(reports).unwrap().map(|entry| entry.unwrap().path());
    folders.map(|folder| folder.join("records.jsonl.gz")).find(|path| path.is_file()).unwrap()
}

#[test]
fn records_that_are_no_whole_run_are_refused_by_compare_and_report() {
    let good = &published();
    let folder = tempfile::tempdir().unwrap();
    unpack(good.parent().unwrap(), folder.path()).unwrap();
    let text = std::fs::read_to_string(folder.path().join("records.jsonl")).unwrap();
    let half = text[..text.len() / 2].trim_end().to_string();
    let (_, rest) = text.split_once('\n').unwrap();
    let other = if text.contains("\"schema\":1") { 2 } else { 1 };
    let another_commit = text.replacen("\"commit\":\"", "\"commit\":\"0", 1);
    let cases = [
        ("cut in a line", half, 2, "the file was truncated"),
        ("empty", String::new(), 2, "line 1: the file is empty"),
        ("without its head", rest.to_string(), 2, "line 1: it is not a `run` row"),
        ("unknown version", text.replace("\"schema\":", "\"schema\":9"), 2, "this build reads 1 to 5"),
        ("mixed versions", text.clone() + &format!("{{\"schema\":{other}}}\n"), 2, "concatenated from two"),
        (
            "unknown metric",
            text.replacen("\"metric\":\"tokens\"", "\"metric\":\"tokns\"", 1),
            2,
            "did you mean `tokens`?",
        ),
        ("negative", text.replacen("\"value\":", "\"value\":-", 1), 2, "is a whole number from 0"),
        ("NaN", text.replacen("\"value\":", "\"value\":NaN", 1), 2, "it is not JSON from column"),
        ("a long line", text.clone() + &"x".repeat(2 << 20), 2, "it is longer than 1048576 bytes"),
        ("two runs", text.repeat(2), 2, "a second `run` row: the file is concatenated from two"),
        ("two builds", text.clone() + &another_commit, 3, "a second `run` row, of another machine or build"),
    ];
    let bad = folder.path().join("records.jsonl");
    for (name, text, code, words) in cases {
        std::fs::write(&bad, text).unwrap();
        for arguments in [
            [Path::new("compare"), good, &bad].as_slice(),
            &[Path::new("compare"), &bad, good],
            &[Path::new("report"), folder.path()],
        ] {
            let (found, said) = xtask(arguments);
            assert_eq!(found, code, "{name}: {arguments:?}: {said}");
            assert!(said.contains(words) && said.contains("records.jsonl"), "{name}: {arguments:?}: {said}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{name}: no report is made of it");
    }
    std::fs::remove_file(&bad).unwrap();
    for arguments in [[Path::new("compare"), good, &bad].as_slice(), &[Path::new("report"), folder.path()]] {
        let (code, said) = xtask(arguments);
        assert!(code == 2 && said.contains("records.jsonl"), "{said}");
    }
    assert_eq!(xtask(&[Path::new("compare"), good, good]).0, 0);
}
