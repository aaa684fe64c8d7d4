//! `bitstate serve` as a process: its messages, and how it ends.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use support::{BYTE, Folder, SMALL};

/// A running server and its output.
struct Serving {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
    addr: String,
}

impl Serving {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let addr = first.split("http://").nth(1).unwrap_or_else(|| panic!("{first}")).split(',').next().unwrap();
        Serving { addr: addr.to_string(), child, said }
    }

    fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// SIGTERM, as a service manager sends it.
    fn terminate(&self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the exit; returns whether it was a success, and the output since.
    fn end(mut self) -> (bool, String) {
        let said: Vec<String> = self.said.by_ref().map(|line| line.unwrap()).collect();
        (self.child.wait().unwrap().success(), said.join("\n"))
    }
}

fn read(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn request(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn it_serves_until_sigterm_and_reports_what_was_cut() {
    let folder = Folder::new();
    let flags = format!("serve --model {BYTE} --port 0 --max-tokens 5000000 --answer-memory 2000 --stop-seconds 1");
    let serving = Serving::start(folder.command(&flags));
    let answer = read(serving.send(&request("{\"prompt\": \"a\", \"max_tokens\": 3, \"seed\": 1}")));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"digest\":"), "{answer}");
    // An answer that does not end by itself.
    let body = "{\"prompt\": \"a\", \"max_tokens\": 5000000, \"ignore_end\": true, \"stream\": true}";
    let mut endless = serving.send(&request(body));
    endless.read_exact(&mut [0; 100]).unwrap();
    serving.terminate();
    let last = read(endless);
    assert!(last.contains("\"code\":\"stopping\""), "the client gets the reason");
    let (success, said) = serving.end();
    assert!(success && said.contains("1 requests completed, 1 cut"), "{said}");
}

#[test]
fn a_key_from_a_file_or_variable_is_required() {
    let folder = Folder::new();
    let flags = format!("serve --model {BYTE} --port 0");
    let mut command = folder.command(&flags);
    command.env("BITSTATE_API_KEY", "a-key-of-some-length");
    let serving = Serving::start(command);
    assert!(read(serving.send(&request("{\"prompt\": \"a\"}"))).starts_with("HTTP/1.1 401"));
    serving.terminate();
    assert!(serving.end().0);
    for (key, said) in [("short", "16 or more characters"), ("", "16 or more characters")] {
        let output = folder.command(&flags).env("BITSTATE_API_KEY", key).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(said) && error.contains("BITSTATE_API_KEY"), "{error}");
    }
    std::fs::write(folder.path().join("key"), "a-key-of-some-length").unwrap();
    let ran = folder.run(&format!("{flags} --api-key-file key"));
    assert!(!ran.success && ran.err.contains("chmod 600 key"), "{ran:?}");
}

#[test]
fn an_invalid_configuration_is_an_error_with_the_fix() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (flags, said) in [
        (format!("--model {BYTE} --port {port}"), "is in use"),
        (format!("--model {BYTE} --port 0 --slots 0"), "from 1 to 65536"),
        (format!("--model {BYTE} --port 0 --allow-origin *"), "https://example.org"),
        (format!("--model {BYTE} --port 70000"), "70000"),
        (format!("--model {SMALL} --port 0"), "--tokenizer"),
        ("--model none.bits --port 0".into(), "none.bits"),
        (format!("--model cut-{BYTE} --port 0"), "not a model file"),
    ] {
        let ran = folder.run(&format!("serve {flags}"));
        assert!(!ran.success && ran.err.contains(said), "{flags}: {ran:?}");
    }
}
