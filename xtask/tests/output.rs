//! Standard output with a closed pipe, and on a full disk.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_harness::records::unpack;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::Place;

/// The compressed records of a published run.
fn published() -> PathBuf {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
    let mut folders: Vec<_> = std::fs::read_dir(reports).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().map(|folder| folder.join("records.jsonl.gz")).find(|path| path.is_file()).unwrap()
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// The exit code and standard error.
fn end(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_reader_that_has_gone_changes_no_code_and_a_full_disk_ends_with_2() {
    let place = Place::new();
    let good = published().display().to_string();
    // Counted with another compiler: the verdict is 3, whether or not anyone reads the output.
    let other = place.path("records.jsonl");
    unpack(Path::new(&good).parent().unwrap(), other.parent().unwrap()).unwrap();
    let text = std::fs::read_to_string(&other).unwrap();
    std::fs::write(&other, text.replace("rustc 1.9", "rustc 1.8")).unwrap();
    let other = other.display().to_string();
    for (arguments, code) in [
        (&["list"][..], 0),
        (&["list", "--json"], 0),
        (&["baseline", "show"], 0),
        (&["baseline", "show", "--json"], 0),
        (&["doctor"], 0),
        (&["doctor", "--json"], 0),
        (&["--help"], 0),
        (&["help", "bench"], 0),
        (&["gate", "--dry-run"], 0),
        (&["bench", "--dry-run"], 0),
        (&["ci", "matrix"], 0),
        (&["compare", &good, &good], 0),
        (&["compare", &good, &other], 3),
        (&["compare", &good, &other, "--json"], 3),
    ] {
        assert_eq!(end(&mut place.xtask(arguments)).0, code, "{arguments:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (found, said) = end(place.xtask(arguments).stdout(writer));
        assert_eq!((found, said.as_str()), (code, ""), "{arguments:?}");
        let (found, said) = end(place.xtask(arguments).stdout(full()));
        assert_eq!(found, 2, "{arguments:?}: {said}");
        let sentence = "error: cannot write standard output: No space left on device";
        assert!(said.starts_with(sentence), "{arguments:?}: {said}");
        // No stream is left for a message.
        let mut command = place.xtask(arguments);
        command.stdout(full()).stderr(full());
        assert_eq!(end(&mut command).0, 2, "{arguments:?}");
    }
    for arguments in [&["report", "--check"][..], &["bogus"], &["compare", "/nowhere", &good]] {
        let mut command = place.xtask(arguments);
        let alone = place.path("alone");
        std::fs::create_dir_all(&alone).unwrap();
        // Outside a workspace nothing can be checked.
        command.current_dir(&alone).env_remove("CARGO_MANIFEST_DIR").stdout(Stdio::null()).stderr(full());
        assert_eq!(end(&mut command).0, 2, "{arguments:?}");
    }
}
