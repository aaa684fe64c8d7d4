//! Replays all stored inputs (the corpus, the findings and the seeds) without libFuzzer.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_fuzz::{TARGETS, Target};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files of `folder/<target>`, in the order of their names.
fn files(folder: &str, target: &Target) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target.name);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs a target on its stored inputs and prints their number; a failing input is named.
fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let mut inputs: Vec<(String, Vec<u8>)> = (target.seeds)(&root()).unwrap();
    assert!(!inputs.is_empty(), "{name} has seeds");
    let corpus = files("corpus", target);
    assert!(!corpus.is_empty(), "corpus/{name} holds files");
    for path in corpus.into_iter().chain(files("findings", target)) {
        inputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    for (input, data) in inputs {
        if std::panic::catch_unwind(|| (target.run)(&data)).is_err() {
            panic!("{name} fails for {input}; run it alone with `cargo xtask fuzz {name} --replay FILE`");
        }
    }
}

#[test]
fn bits() {
    replay("bits");
}

#[test]
fn states() {
    replay("state");
}

#[test]
fn tokenizers() {
    replay("tokenizer");
}

#[test]
fn requests() {
    replay("request");
}

#[test]
fn answers() {
    replay("answer");
}

#[test]
fn records() {
    replay("records");
}

#[test]
fn definitions() {
    replay("definitions");
}

#[test]
fn sampler() {
    replay("sampler");
}

#[test]
fn sessions() {
    replay("session");
}

#[test]
fn the_command_knows_every_target() {
    let known = bitstate_harness::runs::fuzz::TARGETS.map(|target| target.name);
    assert_eq!(TARGETS.map(|target| target.name), known);
}

#[test]
fn every_folder_belongs_to_a_target() {
    for folder in ["corpus", "findings"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        // It does not exist until a finding exists.
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|target| target.name == name), "{name}");
        }
    }
}
