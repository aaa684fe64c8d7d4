//! The host without a browser: scripts replace it and send what a page would send, or nothing. `cargo xtask verify --target
//! 'chromium|firefox'` shows that browsers run the guest.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The result of a run: exit status, standard output and standard error.
type Ran = (i32, String, String);

const EMPTY: &str = "(module)";

/// A script that sends `body` with a status, as the page does; the URL is the last argument of a browser.
fn saying(status: &str, body: &str) -> String {
    format!(
        "address=\"${{@: -1}}\"; rest=\"${{address#http://}}\"; host=\"${{rest%%/*}}\"; path=\"${{rest#*/}}\"\n\
         exec 3<>\"/dev/tcp/${{host%:*}}/${{host#*:}}\"\n\
         printf 'POST /%s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {}\\r\\n\\r\\n' \"${{path%/*}}/said/{status}\" >&3\n\
         printf '{body}' >&3\n\
         read -r line <&3; sleep 60",
        body.replace("\\n", "n").replace("\\0", "0").len()
    )
}

/// Runs the host with a script as its browser.
fn host(script: &str, guest: &str, flags: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("browser"), format!("#!/bin/bash\n{script}\n")).unwrap();
    fs::set_permissions(at("browser"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("guest.wasm"), wat::parse_str(guest).unwrap()).unwrap();
    fs::write(at("model.bits"), "model").unwrap();
    run(folder.path(), &format!("--program ./browser --guest guest.wasm --model model.bits {flags}"))
}

fn run(folder: &Path, arguments: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate-runner-browser"));
    command.current_dir(folder).args(["--browser", "chromium"]).args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A host that rejects its files does not read the request.
    let _ = child.stdin.take().unwrap().write_all(b"request\n");
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_pages_message_is_the_answer() {
    for status in [0, 1, 2] {
        let ran = host(&saying(&status.to_string(), "a line\\n\\0why"), EMPTY, "");
        assert_eq!(ran, (status, "a line\n".into(), "guest: why\n".into()));
    }
    let (status, out, err) = host(&saying("3", "\\0the guest failed: unreachable"), EMPTY, "");
    assert_eq!((status, out.as_str(), err.as_str()), (2, "", "error: the guest failed: unreachable\n"));
}

#[test]
fn a_silent_browser_is_an_error() {
    let refused = |ran: Ran, part: &str| {
        assert!(ran.0 == 2 && ran.1.is_empty() && ran.2.starts_with("error: ") && ran.2.contains(part), "{ran:?}");
    };
    refused(
        host("exec sleep 60", EMPTY, "--timeout 1"),
        "there was no answer within 1 s: raise --timeout; the browser has fetched nothing",
    );
    refused(host("echo no display >&2", EMPTY, ""), "./browser ended without an answer: no display");
    let vector = "(v128.const i32x4 1 2 3 4)";
    let relaxed = format!("(module (func (drop (f32x4.relaxed_min {vector} {vector}))))");
    refused(host("exec sleep 60", &relaxed, ""), "may differ from engine to engine");
    let folder = tempfile::tempdir().unwrap();
    refused(
        run(folder.path(), "--program none --guest none.wasm --model none.bits"),
        "cannot read the model none.bits",
    );
}
