//! Small guests under the host, as processes: their output is passed on, and faults end them with an error.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The result of a run: the exit status, standard output and standard error.
type Ran = (i32, String, String);

/// A complete guest with `run` as the body of its function `run`.
fn guest(run: &str) -> String {
    importing("", run)
}

/// The same with one more import.
fn importing(import: &str, run: &str) -> String {
    format!(
        r#"(module
            (import "bitstate" "ticks" (func $ticks (result i64)))
            (import "bitstate" "tick_kind" (func $tick_kind (result i32)))
            (import "bitstate" "text" (func $text (param i32 i32 i32)))
            {import}
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 1024))
            (func (export "reserve") (param $length i32) (result i32)
                (global.get $next)
                (global.set $next (i32.add (global.get $next) (local.get $length))))
            (func (export "run") (param $request i32) (param $request_length i32) (param $model i32)
                (param $model_length i32) (result i32)
                {run}))"#
    )
}

/// Runs a guest in the text format, with `request` on standard input and a model of the bytes `model`.
fn host(guest: &str, flags: &str) -> Ran {
    run(&wat::parse_str(guest).unwrap(), flags)
}

fn run(guest: &[u8], flags: &str) -> Ran {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("guest.wasm"), guest).unwrap();
    fs::write(folder.path().join("model.bits"), "model").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate-runner-wasmtime"));
    command.current_dir(folder.path()).args(["--guest", "guest.wasm", "--model", "model.bits"]);
    command.args(flags.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"request\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Asserts that a run ended with status 2 and an error that contains each of `parts`.
fn refused(ran: &Ran, parts: &[&str]) {
    let (status, out, err) = ran;
    assert!(*status == 2 && out.is_empty() && err.starts_with("error: "), "{ran:?}");
    for part in parts {
        assert!(err.contains(part), "no {part:?} in {err}");
    }
}

/// Returns the request as a line of the answer and the model as a message.
const ECHO: &str = "(call $text (i32.const 0) (local.get $request) (local.get $request_length))
                    (call $text (i32.const 1) (local.get $model) (local.get $model_length))";
const ENDLESS: &str = "(loop $again (br $again)) (i32.const 0)";

#[test]
fn a_guest_gets_its_inputs_and_its_status_is_the_hosts() {
    for status in [0, 1, 2] {
        let ran = host(&guest(&format!("{ECHO} (i32.const {status})")), "");
        assert_eq!(ran, (status, "request\n".to_string(), "guest: model\n".to_string()));
    }
    let (status, _, err) = host(&guest("(i32.const 7)"), "");
    assert!(status == 2 && err.contains("the guest answered with status 7"), "{err}");
}

#[test]
fn fuel_memory_and_time_are_limited_and_the_flag_is_named() {
    refused(&host(&guest(ENDLESS), "--fuel 100000"), &["ran out of fuel after 100000 units", "raise --fuel"]);
    refused(&host(&guest(ENDLESS), "--timeout 1"), &["did not end within 1 s", "raise --timeout"]);
    let grow = guest("(drop (memory.grow (i32.const 3))) (i32.const 0)");
    refused(&host(&grow, "--memory-limit 200000"), &["limited to 200000 bytes", "--memory-limit raises"]);
    assert_eq!(host(&grow, "--memory-limit 300000").0, 0);
}

#[test]
fn the_clock_counts_nanoseconds_or_fuel() {
    // The status tells the unit; 1 also requires that a loop of ten thousand iterations took at least as many ticks.
    let clock = "(local $turns i32) (local $start i64)
        (local.set $start (call $ticks))
        (loop $again
            (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $turns) (i32.const 10000))))
        (if (i32.and (call $tick_kind) (i64.lt_u (i64.sub (call $ticks) (local.get $start)) (i64.const 10000)))
            (then (return (i32.const 2))))
        (call $tick_kind)";
    assert_eq!(host(&guest(clock), ""), (0, String::new(), String::new()));
    assert_eq!(host(&guest(clock), "--count-fuel"), (1, String::new(), String::new()));
}

#[test]
fn an_instruction_that_engines_may_answer_differently_is_refused() {
    let vector = "(v128.const i32x4 1 2 3 4)";
    for instruction in ["f32x4.relaxed_min", "i8x16.relaxed_swizzle", "i16x8.relaxed_q15mulr_s"] {
        let ran = host(&guest(&format!("(drop ({instruction} {vector} {vector})) (i32.const 0)")), "");
        refused(&ran, &["the module has ", "Relaxed", " at 0x", "may differ from engine to engine"]);
    }
    let fused = format!("(drop (f32x4.relaxed_madd {vector} {vector} {vector})) (i32.const 0)");
    refused(&host(&guest(&fused), ""), &["F32x4RelaxedMadd"]);
    let dot = format!("(drop (i16x8.relaxed_dot_i8x16_i7x16_s {vector} {vector})) (i32.const 0)");
    assert_eq!(host(&guest(&dot), "").0, 0);
    let dot = format!("(drop (i32x4.relaxed_dot_i8x16_i7x16_add_s {vector} {vector} {vector})) (i32.const 0)");
    assert_eq!(host(&guest(&dot), "").0, 0);
}

#[test]
fn a_guest_that_is_none_or_misbehaves_is_a_sentence() {
    refused(&host(&guest("(unreachable)"), ""), &["the guest failed"]);
    let far = "(call $text (i32.const 0) (i32.const 65530) (i32.const 100)) (i32.const 0)";
    refused(&host(&guest(far), ""), &["the guest's text lies outside its memory"]);
    let missing = importing(r#"(import "bitstate" "other" (func))"#, "(i32.const 0)");
    refused(&host(&missing, ""), &["the guest does not fit this host", "other"]);
    refused(&host("(module)", ""), &["reserve"]);
    refused(&run(b"no module", ""), &["cannot load the guest guest.wasm"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ask = |arguments: [&str; 4]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate-runner-wasmtime"));
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        (output.status.code().unwrap(), String::new(), String::from_utf8(output.stderr).unwrap())
    };
    refused(&ask(["--guest", "g.wasm", "--model", "nowhere.bits"]), &["cannot read the model nowhere.bits"]);
    refused(
        &ask(["--guest", "nowhere.wasm", "--model", env!("CARGO_BIN_EXE_bitstate-runner-wasmtime")]),
        &["cannot read the guest nowhere.wasm"],
    );
}

/// Input is limited before a guest exists that could be limited.
#[test]
fn files_without_an_end_are_read_no_further() {
    let ran = host(&guest("(i32.const 0)"), "--memory-limit 4");
    refused(&ran, &["model.bits", "larger than 4 bytes", "--memory-limit"]);
    #[cfg(target_os = "linux")]
    {
        let program = env!("CARGO_BIN_EXE_bitstate-runner-wasmtime");
        let run = |guest: &str, model: &str| {
            let mut command = Command::new("sh");
            let line = format!("ulimit -v 4194304; exec {program} --guest {guest} --model {model} < /dev/null");
            let output = command.args(["-c", &line]).output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
        };
        refused(&run("/dev/zero", "/dev/null"), &["/dev/zero", "larger than"]);
        refused(&run("/dev/null", "/dev/zero"), &["/dev/zero", "larger than"]);
    }
}
