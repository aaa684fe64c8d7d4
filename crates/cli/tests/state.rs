//! `state`: shows, verifies and converts session files, and rejects invalid ones.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::Value;
use std::fs;
use support::{BYTE, Folder};

/// A folder with `a.session`, a session of [`BYTE`].
fn folder() -> Folder {
    let folder = Folder::new();
    folder.stdout(&format!("generate --model {BYTE} --prompt Once --seed 3 --max-tokens 9 --save-session a.session"));
    folder
}

#[test]
fn a_session_file_is_readable() {
    let folder = folder();
    let text = folder.stdout(&format!("generate --model {BYTE} --prompt Once --seed 3 --max-tokens 9"));
    assert_eq!(folder.stdout("state text a.session"), format!("Once{text}"));
    let header: Value = folder.json("state show a.session --json");
    assert_eq!((header["position"].as_u64(), header["seed"].as_u64()), (Some(12), Some(3)));
    let shown = folder.stdout("state show a.session");
    for part in ["12 tokens, then ", header["model"].as_str().unwrap(), "temperature  0.8", "top-k 50"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // Shell tools can read it without this program.
    let bytes = fs::read(folder.path().join("a.session")).unwrap();
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(line).unwrap(), header);
}

#[test]
fn a_session_file_is_checked_and_converted() {
    let folder = folder();
    let verified = folder.stdout(&format!("state verify a.session --model {BYTE}"));
    assert_eq!(verified, "a.session resumes after token 13\n");
    folder.stdout(&format!("state convert a.session --model {BYTE} --out b.session"));
    let read = |name| fs::read(folder.path().join(name)).unwrap();
    assert!(read("a.session") == read("b.session"), "nothing has changed");
    folder.stdout(&format!("state convert a.session --model {BYTE} --out b.session --seed 8 --top-k 5"));
    let on = |name: &str, flags: &str| {
        folder.stdout(&format!("generate --model {BYTE} --session {name} --max-tokens 9{flags}"))
    };
    assert_eq!(on("b.session", ""), on("a.session", " --seed 8 --top-k 5"));
}

/// Each error names the fix, with exit code 2, in every command; existing files stay.
#[test]
fn invalid_sessions_are_rejected() {
    let folder = folder();
    folder.stdout("synth --preset byte --seed 2 --out other.bits");
    let bytes = fs::read(folder.path().join("a.session")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    write("flipped", &flipped);
    write("cut", &bytes[..bytes.len() - 100]);
    write("newer", &[b"{\"bitstate_session\":2", &bytes[b"{\"bitstate_session\":1".len()..]].concat());
    write("empty", b"");
    write("text", b"Once upon a time");
    for (file, model, part) in [
        ("flipped", BYTE, "damaged: its checksum"),
        ("cut", BYTE, "damaged: its checksum"),
        ("newer", BYTE, "version 2, and this program reads version 1: use a newer program"),
        ("empty", BYTE, "not a session file"),
        ("text", BYTE, "not a session file"),
        (BYTE, BYTE, "not a session file"),
        ("none", BYTE, "cannot read the session none"),
        ("a.session", "other.bits", "of another model, of SHA-256"),
    ] {
        let before = folder.names();
        for command in [
            format!("generate --session {file} --model {model} --save-session out.session"),
            format!("chat --session {file} --model {model}"),
            format!("state verify {file} --model {model}"),
            format!("state convert {file} --model {model} --out out.session"),
        ] {
            let ran = folder.run(&command);
            assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{command}: {ran:?}");
            assert!(
                ran.err.starts_with("error: ") && ran.err.contains(part) && ran.err.contains(file),
                "{command}: {ran:?}"
            );
            assert_eq!((ran.err.lines().count(), &folder.names()), (1, &before), "{command}: {ran:?}");
        }
        if file != "a.session" {
            for command in ["show", "text"] {
                let ran = folder.run(&format!("state {command} {file}"));
                assert!(
                    ran.code == Some(2) && ran.out.is_empty() && ran.err.contains(file),
                    "{command} {file}: {ran:?}"
                );
            }
        }
    }
}

/// With another tokenizer, the same tokens are another text.
#[test]
fn a_session_of_another_tokenizer_is_rejected() {
    let folder = Folder::new();
    for file in ["model.bits", "tokenizer.json"] {
        folder.copy("stories-bpe4k", file);
    }
    let flags = "generate --model model.bits --max-tokens 4 --seed 1";
    folder.stdout(&format!("{flags} --prompt Once --save-session a.session"));
    let json = fs::read_to_string(folder.path().join("tokenizer.json")).unwrap();
    fs::write(folder.path().join("tokenizer.json"), json + "\n").unwrap();
    let ran = folder.run(&format!("{flags} --session a.session"));
    assert!(ran.code == Some(2) && ran.err.contains("of another tokenizer"), "{ran:?}");
}

/// On a full disk the old file survives, and no partial file is left.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_session() {
    use std::process::Command;
    let folder = folder();
    let before = fs::read(folder.path().join("a.session")).unwrap();
    // A file size limit fails a write like a full disk, but needs no rights to mount one.
    let line = format!(
        "ulimit -f 20; trap '' XFSZ; exec '{}' generate --model {BYTE} --prompt Once --seed 9 --save-session a.session",
        env!("CARGO_BIN_EXE_bitstate")
    );
    let output = Command::new("bash").current_dir(folder.path()).args(["-c", &line]).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("error: cannot write a.session"), "{err}");
    assert!(fs::read(folder.path().join("a.session")).unwrap() == before);
    assert!(!folder.names().iter().any(|name| name.contains("tmp") || name.starts_with('.')), "{:?}", folder.names());
    let full = folder.run(&format!("generate --model {BYTE} --prompt Once --save-session /dev/full"));
    assert!(full.code == Some(2) && full.err.contains("/dev/full"), "{full:?}");
    for (path, part) in [("nowhere/a.session", "its folder does not exist"), ("folder", "it is a folder")] {
        let ran = folder.run(&format!("generate --model {BYTE} --prompt Once --save-session {path}"));
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.contains(part), "{ran:?}");
    }
}
