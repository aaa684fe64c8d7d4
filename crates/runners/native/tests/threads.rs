//! The golden streams of the default model hold for any number of threads.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_kernels::Variant;
use bitstate_model::{Preset, Version, synthetic};
use bitstate_protocol::{Answer, Digest, Event, Job, Request, Sampling, Workload};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Number of tokens requested of the stream: a debug build is slow.
const TOKENS: usize = 12;

/// Runs the runner with `request` on the file `model`; `threads` is the value of `--threads`.
fn run(model: &Path, threads: &str, request: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate-runner-native"));
    command.arg("--model").arg(model).arg(format!("--threads={threads}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A runner that rejects its flags does not read the request.
    let _ = child.stdin.take().unwrap().write_all(request.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn the_golden_streams_hold_with_threads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("default.bits");
    fs::write(&file, synthetic(&Preset::by_name("default").unwrap().config(), 1, Version::V1_2)).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../golden/streams/default__16-tokens-greedy.json");
    let golden: Value = serde_json::from_str(&fs::read_to_string(golden).unwrap()).unwrap();
    let strings = |name: &str| golden[name].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect::<Vec<_>>();
    let numbers =
        |name: &str| golden[name].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect::<Vec<_>>();
    let workload = Workload {
        case: golden["case"].as_str().unwrap().into(),
        prompt: numbers("prompt"),
        max_tokens: TOKENS as u32,
        sampling: Sampling::Greedy,
    };
    let request = Request { variant: Variant::best().name().into(), jobs: vec![Job::Stream(workload)] }.to_text();
    for threads in ["1", "2", "3", "8"] {
        let output = run(&file, threads, &request);
        assert!(output.status.success(), "{threads}: {output:?}");
        let answer = Answer::parse(str::from_utf8(&output.stdout).unwrap()).unwrap();
        assert_eq!(answer.header.model.to_string(), golden["model_digest"]);
        let [Event::Stream(stream)] = &answer.events[..] else { panic!("{threads}: not one stream") };
        assert_eq!(stream.tokens, numbers("tokens")[..TOKENS], "{threads}");
        let digests: Vec<String> = stream.digests.iter().map(Digest::to_string).collect();
        assert_eq!(digests, strings("digests")[..TOKENS], "{threads}");
    }
}

#[test]
fn a_number_that_is_none_is_refused() {
    for threads in ["0", "-1", "two", ""] {
        let output = run(Path::new("none.bits"), threads, "");
        assert_eq!(output.status.code(), Some(2), "{threads}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("--threads"), "{threads}");
    }
}
