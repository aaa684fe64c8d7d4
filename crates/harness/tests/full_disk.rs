//! A disk that is full while a file is written: the old file stays, and no partial file remains.
#![allow(clippy::unwrap_used)]

use bitstate_harness::records::counter::Counter;
use bitstate_harness::records::journal::{Done, Journal, Key, RunStart, last};
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{Row, read, write};
use bitstate_harness::report::history::Published;
use bitstate_harness::verdicts::baseline::accept;
use bitstate_harness::workspace::{Workspace, environment};
use bitstate_harness::{Error, report};
use std::path::{Path, PathBuf};
use std::process::Output;

/// The small folder; set for this test as a child process, which then works in it.
const FOLDER: &str = "BITSTATE_TEST_FOLDER";
/// A file system of 64 KiB, which is unmounted when the process exits. `$0` is the folder.
const SMALL_DISK: &str = "mount -t tmpfs -o size=64k none \"$0\" && exec \"$@\"";
/// If mounting is not permitted: files of at most 32 KiB, so that a write fails in the middle as well.
const SMALL_FILES: &str = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";

#[test]
fn a_full_disk_leaves_what_was_there_and_nothing_half_written() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return work(Path::new(&folder));
    }
    let this = "a_full_disk_leaves_what_was_there_and_nothing_half_written";
    let test = std::env::current_exe().unwrap();
    let cramped = |unshare: &[&str], script: &str, command: &[&str]| -> Output {
        let folder = tempfile::tempdir().unwrap();
        let mut all = unshare.to_vec();
        all.extend(["sh", "-c", script]);
        let mut run = environment::command(all[0]);
        run.args(&all[1..]).arg(folder.path()).args(command).env(FOLDER, folder.path());
        run.output().unwrap()
    };
    let test = [test.to_str().unwrap(), "--exact", this];
    let root = ["unshare", "--mount"];
    let user = ["unshare", "--user", "--map-root-user", "--mount"];
    let mounts =
        [&root[..], &user].into_iter().find(|unshare| cramped(unshare, SMALL_DISK, &["true"]).status.success());
    let small_disk = mounts.map(|unshare| cramped(unshare, SMALL_DISK, &test));
    for output in [Some(cramped(&[], SMALL_FILES, &test)), small_disk].into_iter().flatten() {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn work(folder: &Path) {
    for part in [records, whole_report, baseline, journal] {
        let folder = folder.join("part");
        std::fs::create_dir(&folder).unwrap();
        part(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

/// Checks that the error is the full disk, names the file, and has exit code 2.
fn is_full(error: &Error, path: &Path) {
    let said = error.to_string();
    assert_eq!(error.exit().code(), 2);
    assert!(said.starts_with(&format!("cannot write {}", path.display())), "{said}");
    assert!(said.contains("No space left on device") || said.contains("File too large"), "{said}");
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn run() -> Row {
    Row::Run(Box::default())
}

fn verified(i: usize) -> Row {
    Row::Verified { target: "native".into(), variant: "avx2".into(), workload: format!("case-{i}"), steps: 3 }
}

fn records(folder: &Path) {
    let path = folder.join("records.jsonl");
    write(&path, &[run(), verified(0)]).unwrap();
    let many: Vec<Row> = std::iter::once(run()).chain((0..5000).map(verified)).collect();
    is_full(&write(&path, &many).unwrap_err(), &path);
    assert_eq!(read(&path).unwrap().1, [verified(0)]);
    assert_eq!(files(folder), [path]);
}

fn whole_report(folder: &Path) {
    let old = folder.join("report.json");
    std::fs::write(&old, "old").unwrap();
    // The rows fit; the files generated from them do not.
    let failed = |i: usize| Row::Failed {
        target: "native".into(),
        variant: "avx2".into(),
        workload: Some(format!("case-{i}")),
        during: "bench".into(),
        error: "ended by signal 9".into(),
        exit: 2,
    };
    let rows: Vec<Row> = (0..225).map(failed).collect();
    is_full(&report::write(folder, &Provenance::default(), &rows, &Published::default()).unwrap_err(), &old);
    let records = folder.join("records.jsonl");
    assert_eq!(read(&records).unwrap().1, rows);
    let mut left = files(folder);
    left.sort();
    assert_eq!((std::fs::read_to_string(&old).unwrap().as_str(), left), ("old", vec![records, old]));
}

fn baseline(folder: &Path) {
    let counter = |i: usize| Counter {
        target: "native".into(),
        variant: "avx2".into(),
        workload: format!("case-{i}"),
        phase: "decode".into(),
        metric: "instructions".into(),
        unit: "instructions".into(),
        value: 5,
        key: Default::default(),
        unconfirmed: false,
        parts: Default::default(),
    };
    let workspace = Workspace { root: folder.to_path_buf(), target: folder.join("target") };
    let take = |n: usize| {
        let counters: Vec<Counter> = (0..n).map(counter).collect();
        accept(&workspace, &counters, |_| true, "why", &Provenance::default())
    };
    take(1).unwrap();
    let path = folder.join("ci/baselines/native.json");
    let before = std::fs::read(&path).unwrap();
    is_full(&take(5000).unwrap_err(), &path);
    assert_eq!((std::fs::read(&path).unwrap(), files(folder)), (before, vec![path]));
}

fn journal(folder: &Path) {
    let workspace = Workspace { root: folder.to_path_buf(), target: folder.join("target") };
    let begun = RunStart { flags: Vec::new(), key: Key::new(), inputs: Key::new(), provenance: Provenance::default() };
    let journal = Journal::begin(&workspace, "bench", begun).unwrap();
    let piece = |i: usize| Done { rows: vec![verified(i)], ..Done::default() };
    let name = |i: usize| format!("piece {i}");
    let mut recorded = 0;
    let error = loop {
        match journal.record(&name(recorded), &piece(recorded)) {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
    };
    is_full(&error, journal.path());
    // Another thread may still write: it gets the same error, and the file stays a valid journal.
    is_full(&journal.record("another", &piece(7)).unwrap_err(), journal.path());
    drop(journal);
    let (journal, torn) = Journal::open(&last(&workspace, "bench").unwrap()).unwrap();
    assert!(!torn && recorded > 100);
    assert!((0..recorded).all(|i| journal.done(&name(i)) == Some(&piece(i))));
    assert_eq!(journal.finished(), recorded);
}
