//! Input files: invalid, endless or huge ones are rejected at once. Output files: through links, to pipes, to standard
//! output.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::{Folder, Ran, SMALL};

/// Runs a shell command in the folder, with the program as `$b`.
fn shell(folder: &Folder, line: &str) -> Output {
    let mut command = Command::new("bash");
    command.current_dir(folder.path()).args(["-c", line]).env("b", env!("CARGO_BIN_EXE_bitstate"));
    command.output().unwrap()
}

/// Limits memory to 512 MB, so that reading without a bound fails.
const LIMITED: &str = "ulimit -v 524288;";

#[test]
fn an_invalid_file_of_any_size_is_rejected_at_its_start() {
    let folder = Folder::new();
    let small = fs::read(folder.path().join(SMALL)).unwrap();
    let sparse = |name: &str, start: &[u8], len| {
        let mut file = File::create(folder.path().join(name)).unwrap();
        file.write_all(start).unwrap();
        file.set_len(len).unwrap();
    };
    sparse("zeros.bits", b"", 64 << 30);
    sparse("text.bits", b"Once upon a time", 4 << 30);
    // Too much data after a valid header, and after a valid model.
    sparse("header.bits", &small[..52], 64 << 30);
    sparse("model.bits", &small, 64 << 30);
    // A header with sizes that do not match the file.
    let mut header = small[..64].to_vec();
    for (at, size) in
        [(12, 1 << 24), (16, 1 << 12), (20, 1 << 16), (24, 1), (28, 1 << 16), (56, 1 << 24), (60, 1 << 16)]
    {
        header[at..at + 4].copy_from_slice(&u32::to_le_bytes(size));
    }
    sparse("sizes.bits", &header, 64 << 30);
    for (file, part) in [
        ("zeros.bits", "not a BITS file"),
        ("text.bits", "not a BITS file"),
        ("header.bits", "embedding (byte 52)"),
        ("model.bits", "this one has 68719476736"),
        ("sizes.bits", "this one has 68719476736"),
        ("/dev/zero", "not a BITS file"),
        ("/dev/full", "not a BITS file"),
        ("<(cat /dev/zero)", "not a BITS file"),
        (&format!("<(cat {SMALL} /dev/zero)"), "more follows after"),
        (&format!("<(head -c 52 {SMALL}; cat /dev/zero)"), "embedding (byte 52)"),
        ("<(true)", "has only 0 left"),
        ("folder", "cannot read folder"),
    ] {
        for command in ["inspect", "logits --tokens 1 --model", "generate --tokens 1 --model"] {
            let start = Instant::now();
            let output = shell(&folder, &format!("{LIMITED} exec \"$b\" {command} {file}"));
            assert_eq!(output.status.code(), Some(2), "{file}: {output:?}");
            let ran = Ran::new(output);
            assert!(ran.out.is_empty() && ran.err.starts_with("error: ") && ran.err.contains(part), "{file}: {ran:?}");
            assert!(start.elapsed() < Duration::from_secs(20), "{file}: it was read");
        }
    }
}

#[test]
fn a_model_can_be_read_from_a_pipe() {
    let folder = Folder::new();
    let expected = folder.stdout(&format!("logits --model {SMALL} --tokens 1,2"));
    let piped = shell(&folder, &format!("cat {SMALL} | \"$b\" logits --model /dev/stdin --tokens 1,2"));
    assert_eq!(Ran::new(piped).out, expected);
    let named = shell(&folder, &format!("mkfifo pipe; cat {SMALL} > pipe & \"$b\" logits --model pipe --tokens 1,2"));
    assert_eq!(Ran::new(named).out, expected);
}

#[test]
fn texts_and_tokenizers_have_limits() {
    let folder = Folder::new();
    let large = File::create(folder.path().join("large.json")).unwrap();
    large.set_len((256 << 20) + 1).unwrap();
    for (arguments, part) in [
        ("eval --model byte.bits --text /dev/zero", "/dev/zero"),
        ("eval --model byte.bits --text large.json", "large.json"),
        ("generate --model small.bits --prompt a --tokenizer large.json", "large.json"),
        ("generate --model small.bits --prompt a --tokenizer /dev/zero", "/dev/zero"),
    ] {
        let output = shell(&folder, &format!("ulimit -v 1048576; exec \"$b\" {arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
        let ran = Ran::new(output);
        assert!(ran.out.is_empty() && ran.err.starts_with("error: ") && ran.err.contains(part), "{arguments}: {ran:?}");
    }
}

#[test]
fn a_link_is_kept_and_its_target_is_written() {
    let folder = Folder::new();
    let path = |name| folder.path().join(name);
    symlink("folder/model.bits", path("link.bits")).unwrap();
    for _ in 0..2 {
        folder.stdout("synth --preset small --out link.bits");
        assert!(path("link.bits").is_symlink());
        assert!(!path("folder/model.bits").is_symlink());
        assert_eq!(fs::read(path("folder/model.bits")).unwrap(), fs::read(path(SMALL)).unwrap());
    }
    assert_eq!(fs::read_dir(path("folder")).unwrap().count(), 1);
}

/// Under any name, standard output gets only the model; messages go to standard error.
#[test]
fn the_output_file_can_be_standard_output() {
    let folder = Folder::new();
    let path = |name| folder.path().join(name);
    let model = fs::read(path(SMALL)).unwrap();
    symlink("/dev/stdout", path("link")).unwrap();
    for out in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"] {
        let output = folder.command(&format!("synth --preset small --out {out}")).output().unwrap();
        assert!(output.status.success() && output.stdout == model, "{out}: {}", output.stdout.len());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{out}: {} bytes\n", model.len()));
        // Into a file, after its contents.
        let into =
            shell(&folder, &format!("(echo before; \"$b\" synth --preset small --out {out} 2>&-; echo after) > into"));
        assert!(into.status.success(), "{out}: {into:?}");
        assert!(fs::read(path("into")).unwrap() == [b"before\n", &model[..], b"after\n"].concat(), "{out}");
    }
    let same = shell(&folder, "\"$b\" synth --preset small --out same.bits > same.bits");
    assert!(same.status.success() && fs::read(path("same.bits")).unwrap() == model, "{same:?}");
    assert!(path("link").is_symlink() && !folder.names().contains(&"-".to_string()));
    // A named pipe is not standard output.
    let named = shell(&folder, "mkfifo pipe; cat pipe > piped.bits & \"$b\" synth --preset small --out pipe; wait");
    assert_eq!(String::from_utf8(named.stdout).unwrap(), format!("pipe: {} bytes\n", model.len()));
    assert!(fs::read(path("piped.bits")).unwrap() == model);
}

/// If the reader of text leaves, nothing is lost; if the reader of a model does, there is no model.
#[test]
fn a_model_that_nobody_reads_is_an_error() {
    let folder = Folder::new();
    for out in ["-", "/dev/stdout"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = folder.command(&format!("synth --preset byte --out {out}"));
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{out}");
        let err = Ran::new(output).err;
        assert!(err.starts_with("error: cannot write") && err.contains("Broken pipe"), "{out}: {err}");
    }
    let left = shell(&folder, "\"$b\" synth --preset default --out - | head -c 1000 > part; exit ${PIPESTATUS[0]}");
    assert_eq!(left.status.code(), Some(2), "{left:?}");
    let named = shell(&folder, "mkfifo pipe; head -c 1000 pipe > part & \"$b\" synth --preset default --out pipe");
    assert_eq!(named.status.code(), Some(2), "{named:?}");
    assert!(Ran::new(named).err.contains("cannot write pipe: Broken pipe"));
    let mut part = Vec::new();
    File::open(folder.path().join("part")).unwrap().read_to_end(&mut part).unwrap();
    assert_eq!(part.len(), 1000);
}
