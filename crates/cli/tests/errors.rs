//! What the command rejects: it fails, prints nothing on stdout, and says what is wrong and how to fix it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate_kernels::{Kernels, Variant};
use std::process::Stdio;
use support::{Folder, Ran};

/// Arguments (`+` is a space within an argument), and what the message must contain.
const REFUSED: &[(&str, &[&str])] = &[
    ("logits --model nowhere.bits --tokens 1", &["cannot read nowhere.bits"]),
    ("logits --model folder --tokens 1", &["cannot read folder"]),
    ("logits --model empty.bits --tokens 1", &["empty.bits", "has only 0 left", "cut short"]),
    ("logits --model cut-small.bits --tokens 1", &["cut-small.bits", "ln_f.bias", "cut short"]),
    ("inspect cut-small.bits", &["cut-small.bits", "ln_f.bias", "cut short"]),
    ("inspect nowhere.bits", &["cannot read nowhere.bits"]),
    (
        "logits --model small.bits --tokens 1 --variant simd128",
        &["simd128", "needs a WebAssembly build", "without --variant"],
    ),
    ("logits --model small.bits --tokens 3,64", &["token 64", "tokens 0 to 63"]),
    ("generate --model small.bits --tokens 64 --json", &["token 64", "tokens 0 to 63"]),
    ("logits --model small.bits --tokens 4294967296", &["4294967296", "--tokens"]),
    ("logits --model small.bits --tokens -1", &["`-1` is not a token id", "--tokens"]),
    ("logits --model small.bits --tokens=", &["--tokens"]),
    ("logits --model small.bits --tokens 1,,2", &["--tokens"]),
    ("logits --model small.bits --tokens", &["--tokens"]),
    ("logits --model small.bits", &["--tokens"]),
    ("generate --model small.bits --tokens=", &["--tokens"]),
    ("generate --model small.bits --prompt hello", &["64 tokens", "give token ids"]),
    ("generate --model small.bits", &["--prompt", "--tokens"]),
    ("generate --model byte.bits --prompt a --tokens 1", &["--prompt", "--tokens"]),
    ("generate --model small.bits --tokens 1 --temperature nan", &["'nan'", "--temperature", "a number from 0"]),
    ("generate --model small.bits --tokens 1 --temperature inf", &["'inf'", "--temperature", "a number from 0"]),
    ("generate --model small.bits --tokens 1 --temperature 1e39", &["'1e39'", "--temperature", "a number from 0"]),
    ("generate --model small.bits --tokens 1 --temperature -0.5", &["'-0.5'", "--temperature", "a number from 0"]),
    (
        "generate --model small.bits --tokens 1 --temperature 0 --penalty 1.5",
        &["temperature of 0", "--penalty", "above 0"],
    ),
    ("generate --model small.bits --tokens 1 --top-p 2", &["'2'", "--top-p", "above 0 and at most 1"]),
    ("generate --model small.bits --tokens 1 --top-p 0", &["'0'", "--top-p", "above 0 and at most 1"]),
    ("generate --model small.bits --tokens 1 --top-p -1", &["'-1'", "--top-p", "above 0 and at most 1"]),
    ("generate --model small.bits --tokens 1 --penalty 0.5", &["'0.5'", "--penalty", "from 1"]),
    ("generate --model small.bits --tokens 1 --penalty -1", &["'-1'", "--penalty", "from 1"]),
    ("generate --model small.bits --tokens 1 --top-k -1", &["'-1'", "--top-k", "from 0 to 4294967295"]),
    ("generate --model small.bits --tokens 1 --max-tokens -1", &["'-1'", "--max-tokens", "from 0 to 4294967295"]),
    ("generate --model small.bits --tokens 1 --max-tokens 4294967296", &["--max-tokens", "from 0 to 4294967295"]),
    ("generate --model small.bits --tokens 1 --seed -1", &["'-1'", "--seed", "from 0 to 18446744073709551615"]),
    ("generate --model small.bits --tokens 1 --seed 1.5", &["'1.5'", "--seed", "from 0 to 18446744073709551615"]),
    ("generate --model small.bits --tokens 1 --threads -1", &["'-1'", "--threads", "or auto"]),
    ("eval --model byte.bits --text x --stories 0", &["'0'", "--stories", "from 1 to 4294967295"]),
    ("eval --model byte.bits --text x --tokens -1", &["'-1'", "--tokens", "from 1 to 4294967295"]),
    ("synth --preset small --seed -1 --out x.bits", &["'-1'", "--seed", "from 0 to 18446744073709551615"]),
    ("generate --model small.bits --tokens 1 --threads 0", &["--threads", "give 1 or more, or auto"]),
    ("generate --model small.bits --tokens 1 --threads two", &["two", "--threads", "or auto"]),
    ("generate --model small.bits --tokens 1 --threads 4097", &["--threads 4097", "cores", "give at most"]),
    ("generate --model small.bits --tokens 1 --greedy --temperature 1", &["--greedy", "--temperature"]),
    ("generate --model small.bits --tokens 1 --max-tokns 3", &["--max-tokns", "--max-tokens"]),
    ("generate --model small.bits --tokens 1 --temprature 1", &["--temprature", "--temperature"]),
    ("generat --model small.bits --tokens 1", &["generat", "generate"]),
    ("synth --preset smal --out x.bits", &["smal", "did you mean \"small\""]),
    ("synth --preset small --out x.bits --format 1.3", &["1.3", "1.0, 1.1 and 1.2"]),
    ("synth --preset small --out nowhere/x.bits", &["cannot write into nowhere"]),
    ("synth --preset small --out empty.bits/x.bits", &["cannot write into empty.bits"]),
    ("synth --preset small --out folder", &["cannot write folder"]),
    ("synth --preset small", &["--out"]),
];

#[test]
fn every_error_says_what_is_wrong() {
    let folder = Folder::new();
    let before = folder.names();
    for (arguments, parts) in REFUSED {
        let Ran { code, out, err, .. } = folder.run(arguments);
        assert_eq!(code, Some(2), "{arguments}");
        assert_eq!(out, "", "{arguments}: nothing on stdout");
        assert!(err.starts_with("error: ") && err.ends_with('\n') && !err.contains("panicked"), "{arguments}: {err}");
        for part in *parts {
            assert!(err.contains(part), "{arguments}: no {part:?} in {err}");
        }
        assert_eq!(folder.names(), before, "{arguments}: no file was created");
    }
}

#[test]
#[cfg(not(feature = "train"))]
fn a_build_without_the_trainer_explains_how_to_get_it() {
    let folder = Folder::new();
    assert!(folder.stdout("--help").contains("--features train"));
    for arguments in ["train --config train.toml", "train --help", "data prepare --input a.txt", "convert"] {
        let Ran { success, err, .. } = folder.run(arguments);
        assert!(
            !success && err.contains("does not include training") && err.contains("--features train"),
            "{arguments}: {err}"
        );
    }
}

#[test]
fn an_unavailable_variant_is_rejected_with_what_is_missing() {
    let folder = Folder::new();
    for variant in Variant::ALL {
        let name = variant.name();
        let Err(unavailable) = Kernels::new(variant) else { continue };
        for command in ["logits", "generate"] {
            let Ran { success, out, err, .. } =
                folder.run(&format!("{command} --model small.bits --tokens 1 --variant {name}"));
            assert!(!success && out.is_empty(), "{command} {name}");
            for part in [name, unavailable.missing, "without --variant"] {
                assert!(err.contains(part), "{name}: no {part:?} in {err}");
            }
        }
    }
}

#[test]
fn an_unknown_variant_lists_all_names() {
    let folder = Folder::new();
    for (command, name) in [("logits", "sse"), ("generate", "AVX2"), ("logits", "")] {
        let Ran { success, out, err, .. } =
            folder.run(&format!("{command} --model small.bits --tokens 1 --variant={name}"));
        assert!(!success && out.is_empty());
        for part in Variant::ALL.map(Variant::name).into_iter().chain([name, "--variant"]) {
            assert!(err.contains(part), "{name}: no {part:?} in {err}");
        }
    }
}

/// The reader closes the pipe.
#[test]
fn a_broken_pipe_is_quiet() {
    let folder = Folder::new();
    let commands = [
        "logits --model small.bits --tokens 1",
        "logits --model small.bits --tokens 1 --json",
        "inspect small.bits",
        "inspect small.bits --json",
        "generate --model small.bits --tokens 1 --max-tokens 4000000000",
        "generate --model byte.bits --prompt a --max-tokens 4000000000",
        "generate --model small.bits --tokens 1 --json",
        "synth --preset small --out made.bits",
        "--help",
    ];
    for arguments in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = Ran::new(folder.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap());
        assert!(ran.success && ran.err.is_empty(), "{arguments}: {ran:?}");
    }
}

/// Any other error on stdout is reported.
#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_reported() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("text.txt"), "Once upon a time.").unwrap();
    for arguments in [
        "logits --model small.bits --tokens 1 --json",
        "inspect small.bits",
        "generate --model small.bits --tokens 1",
        "generate --model small.bits --tokens 1 --json",
        "synth --preset small --out made.bits",
        "eval --model byte.bits --text text.txt",
        "describe --model byte.bits",
        "--help",
        "generate --help",
        "--version",
    ] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = folder.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let err = Ran::new(output).err;
        assert!(err.starts_with("error: cannot write to standard output: No space left"), "{arguments}: {err}");
    }
}

/// The result and the exit code are the same if messages cannot be written.
#[cfg(target_os = "linux")]
#[test]
fn a_standard_error_that_cannot_be_written_changes_nothing() {
    let folder = Folder::new();
    for (arguments, code) in [
        ("generate --model small.bits --tokens 1 --seed 1", 0),
        ("generate --model byte.bits --prompt a --max-tokens 3 --seed 1", 0),
        ("synth --preset small --out -", 0),
        ("logits --model nowhere.bits --tokens 1", 2),
        ("generate --model small.bits --tokens 64", 2),
        ("generate --nonsense", 2),
        ("nonsense", 2),
        ("", 2),
    ] {
        let said = folder.command(arguments).output().unwrap();
        let full = || std::fs::File::create("/dev/full").unwrap();
        let unsaid = folder.command(arguments).stderr(full()).stdout(Stdio::piped()).output().unwrap();
        assert_eq!((said.status.code(), unsaid.status.code()), (Some(code), Some(code)), "{arguments}");
        assert_eq!(said.stdout, unsaid.stdout, "{arguments}");
        assert!(!said.stderr.is_empty(), "{arguments}: there was no message");
        // Neither output can be written.
        let nothing = folder.command(arguments).stderr(full()).stdout(full()).status().unwrap();
        assert_eq!(nothing.code(), Some(code.max(2)), "{arguments}");
    }
}
