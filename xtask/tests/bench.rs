//! Runs that `cargo xtask bench` refuses before anything is built.
#![allow(clippy::unwrap_used)]

use bitstate_harness::workspace::environment::command;
use bitstate_harness::workspace::time::now;
use bitstate_harness::workspace::write_atomic;
use std::path::Path;

/// A workspace with the definitions of this one, its own baselines and no reports.
fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    for name in ["crates", "golden", "xtask"] {
        std::os::unix::fs::symlink(real.join(name), folder.path().join(name)).unwrap();
    }
    for name in ["targets", "workloads", "expected", "thresholds"] {
        let name = format!("ci/{name}.toml");
        write_atomic(&folder.path().join(&name), &std::fs::read(real.join(&name)).unwrap()).unwrap();
    }
    folder
}

/// Runs `bench` there; its exit code, its output, and whether it built anything.
fn bench(root: &Path, arguments: &[&str]) -> (i32, String, bool) {
    let mut command = command(env!("CARGO_BIN_EXE_xtask"));
    let output = command.current_dir(root).args(["bench", "--target", "native"]).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said, root.join("target/bitstate/logs").exists())
}

#[test]
fn a_name_that_was_published_today_is_refused_before_anything_is_built() {
    let folder = workspace();
    let root = folder.path();
    let name = format!("reports/{}-first-light", &now()[..10]);
    write_atomic(&root.join(&name).join("records.jsonl"), b"not ours to replace").unwrap();
    let (code, said, built) = bench(root, &["--publish", "first-light"]);
    assert_eq!((code, built), (2, false), "{said}");
    assert!(said.contains(&format!("{name} exists already")) && said.contains("choose another name"), "{said}");
    assert_eq!(std::fs::read(root.join(&name).join("records.jsonl")).unwrap(), b"not ours to replace");
}

#[test]
fn a_run_is_not_named_like_a_backup_which_reports_are_not_made_of() {
    let folder = workspace();
    for name in ["first.bak", ".first", "a/b", ""] {
        let (code, said, built) = bench(folder.path(), &["--publish", name]);
        assert_eq!((code, built), (2, false), "{said}");
        assert!(said.contains(&format!("`{name}` cannot name a run")), "{said}");
    }
}

#[test]
fn accepted_counters_that_cannot_be_read_are_an_error_before_anything_is_built() {
    let folder = workspace();
    let root = folder.path();
    for (name, text) in [("native.json", "{"), ("natvie.json", "{}")] {
        let path = root.join("ci/baselines").join(name);
        write_atomic(&path, text.as_bytes()).unwrap();
        let (code, said, built) = bench(root, &[]);
        assert_eq!((code, built), (2, false), "{said}");
        assert!(said.contains(&format!("ci/baselines/{name}: ")), "{said}");
        std::fs::remove_file(path).unwrap();
    }
}
