//! The trainer's commands with outputs that cannot be written, links, pipes and hostile files.
#![cfg(all(feature = "train", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};
use support::{Folder, Ran};

/// A folder with token files, and `run.toml` for six steps that produce every kind of message.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.stdout("data smoke --stories 60 --seed 3 --out stories.txt");
    folder.stdout("data prepare --input stories.txt --held-out 0.2 --out data");
    configure(&folder, "run");
    folder
}

fn configure(folder: &Folder, name: &str) {
    let text = format!(
        "data = 'data'\nout = '{name}'\nsteps = 6\n[model]\npreset = 'small'\n[batch]\nsequences = 2\nseq_len = 24\n\
         [watch]\nlog = 1\nvalidate = 2\nvalidate_windows = 2\ncheckpoint = 3\nsample = 3\nsample_tokens = 4\n"
    );
    fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
}

/// Runs a shell command in the folder, with the program as `$b`.
fn shell(folder: &Folder, line: &str) -> Output {
    let mut command = Command::new("bash");
    command.current_dir(folder.path()).args(["-c", line]).env("b", env!("CARGO_BIN_EXE_bitstate"));
    command.output().unwrap()
}

/// The run is worth more than its messages: it completes, and then reports which output failed, if it can.
#[test]
fn a_run_survives_outputs_that_cannot_be_written() {
    let folder = folder();
    folder.stdout("train --config run.toml");
    let expected = fs::read(folder.path().join("run/last.safetensors")).unwrap();
    let (reader, gone) = std::io::pipe().unwrap();
    drop(reader);
    let full = || File::create("/dev/full").unwrap();
    let cases: [(&str, Stdio, Stdio, i32, &str); 4] = [
        ("err", Stdio::piped(), full().into(), 0, ""),
        ("out", full().into(), Stdio::piped(), 2, "error: cannot write to standard output: No space left"),
        ("both", full().into(), full().into(), 2, ""),
        ("gone", gone.into(), Stdio::piped(), 0, ""),
    ];
    for (name, out, err, code, said) in cases {
        configure(&folder, name);
        let output = folder.command(&format!("train --config {name}.toml")).stdout(out).stderr(err).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        assert!(Ran::new(output).err.starts_with(said), "{name}");
        assert!(fs::read(folder.path().join(name).join("last.safetensors")).unwrap() == expected, "{name}");
    }
    let prepared = folder.command("data prepare --input stories.txt --out x").stdout(full()).output().unwrap();
    assert_eq!(prepared.status.code(), Some(2));
    assert!(Ran::new(prepared).err.starts_with("error: cannot write to standard output"));
}

#[test]
fn a_model_is_converted_into_links_pipes_and_standard_output() {
    let folder = folder();
    let path = |name| folder.path().join(name);
    folder.stdout("train --config run.toml");
    folder.stdout("convert --checkpoint run/last.safetensors --out new/model.bits");
    let model = fs::read(path("new/model.bits")).unwrap();
    symlink("folder/model.bits", path("link.bits")).unwrap();
    folder.stdout("convert --checkpoint run/last.safetensors --out link.bits");
    assert!(path("link.bits").is_symlink() && fs::read(path("folder/model.bits")).unwrap() == model);
    // A link to the checkpoint counts as the checkpoint.
    symlink("run/last.safetensors", path("checkpoint")).unwrap();
    let ran = folder.run("convert --checkpoint run/last.safetensors --out checkpoint");
    assert!(!ran.success && ran.err.contains("--out is the checkpoint"), "{ran:?}");

    let before = folder.names();
    for out in ["-", "/dev/stdout"] {
        let arguments = format!("convert --checkpoint run/last.safetensors --out {out}");
        let output = folder.command(&arguments).output().unwrap();
        assert!(output.status.success() && output.stdout == model, "{out}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("{out}: {} bytes, step 6", model.len())), "{said}");
        let left = shell(&folder, &format!("\"$b\" {arguments} | true; exit ${{PIPESTATUS[0]}}"));
        let gone = shell(&folder, &format!("\"$b\" {arguments} | (exec <&-; sleep 1); exit ${{PIPESTATUS[0]}}"));
        assert!(left.status.code() == Some(2) || left.stderr.starts_with(out.as_bytes()), "{out}: {left:?}");
        assert_eq!(gone.status.code(), Some(2), "{out}: {gone:?}");
        assert!(Ran::new(gone).err.contains("Broken pipe"), "{out}");
    }
    let smoke = folder.command("data smoke --stories 60 --seed 3 --out -").output().unwrap();
    assert!(smoke.stdout == fs::read(path("stories.txt")).unwrap() && smoke.stderr.is_empty());
    assert_eq!(folder.names(), before);
}

#[test]
fn no_file_is_read_beyond_its_stated_length() {
    let folder = folder();
    folder.stdout("train --config run.toml");
    let checkpoint = fs::read(folder.path().join("run/last.safetensors")).unwrap();
    let header = 8 + u64::from_le_bytes(checkpoint[..8].try_into().unwrap()) as usize;
    let sparse = |name: &str, start: &[u8], len: u64| {
        let mut file = File::create(folder.path().join(name)).unwrap();
        file.write_all(start).unwrap();
        file.set_len(len).unwrap();
    };
    sparse("zeros", b"", 64 << 30);
    sparse("text", b"Once upon a time", 64 << 30);
    sparse("header", &checkpoint[..header], 64 << 30);
    sparse("long", &99_999_999u64.to_le_bytes(), 64 << 30);
    sparse("cut", &checkpoint[..checkpoint.len() - 1], checkpoint.len() as u64 - 1);
    sparse("cut-header", &checkpoint[..header - 1], header as u64 - 1);
    sparse("run2.toml", b"", (1 << 20) + 1);
    for (arguments, part) in [
        ("convert --out x.bits --checkpoint zeros", "not a safetensors file"),
        ("convert --out x.bits --checkpoint text", "not a safetensors file: it begins with a length of"),
        ("convert --out x.bits --checkpoint header", "not a safetensors file: its header describes"),
        ("convert --out x.bits --checkpoint long", "not a safetensors file"),
        ("convert --out x.bits --checkpoint cut", "not a safetensors file: its header describes"),
        ("convert --out x.bits --checkpoint cut-header", "it ends in its header"),
        ("convert --out x.bits --checkpoint /dev/zero", "not a safetensors file"),
        ("eval --text stories.txt --restart --checkpoint header", "not a safetensors file"),
        ("train --config run2.toml", "larger than 1 MiB"),
        ("train --config /dev/zero", "larger than 1 MiB"),
    ] {
        let output = shell(&folder, &format!("ulimit -v 4194304; exec \"$b\" {arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
        let ran = Ran::new(output);
        assert!(ran.err.starts_with("error: ") && ran.err.contains(part), "{arguments}: {ran:?}");
    }
    // A truncated file from a pipe has no length to check.
    let cut = shell(&folder, "\"$b\" eval --text stories.txt --restart --checkpoint <(cat cut)");
    assert!(Ran::new(cut).err.contains("fewer bytes than the"));
}
