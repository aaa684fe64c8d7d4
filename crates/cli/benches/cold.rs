//! Run time of a process that generates one token, compared with `true`, which does nothing.
//!
//! `cargo bench -p bitstate-cli`. Compare within one run only: the machine drifts.

use bitstate::bits::{Preset, Version, synthetic};
use criterion::{Criterion, criterion_group, criterion_main};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program is there");
    assert!(status.success());
}

fn generate(model: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate"));
    command.args(["generate", "--tokens", "79", "--seed", "1", "--max-tokens", "1", "--model"]).arg(model);
    command
}

fn cold(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let default = folder.path().join("default.bits");
    let preset = Preset::by_name("default").expect("a preset");
    std::fs::write(&default, synthetic(&preset.config(), 1, Version::V1_2)).expect("room");
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/models");
    let byte = golden.join("stories-byte/model.bits");
    let bpe4k = golden.join("stories-bpe4k/model.bits");
    c.bench_function("true", |b| b.iter(|| run(&mut Command::new("true"))));
    for (name, model) in [("stories-byte", byte), ("stories-bpe4k", bpe4k), ("default", default)] {
        c.bench_function(&format!("first token/{name}"), |b| b.iter(|| run(&mut generate(&model))));
    }
}

criterion_group!(benches, cold);
criterion_main!(benches);
