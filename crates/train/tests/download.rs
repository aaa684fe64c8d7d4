//! Downloads from a local server: complete, in parts, and with errors.
#![cfg(feature = "download")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_train::data::download::download;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use tempfile::TempDir;

/// The behaviour of the server.
#[derive(Clone)]
struct Server {
    content: Vec<u8>,
    /// Bytes after which it closes the connection.
    breaks_after: usize,
    sha256: Option<String>,
    status: &'static str,
    ranges: bool,
}

impl Server {
    fn of(content: &[u8]) -> Server {
        let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        let sha256 = Some(format!("\"{digest}\""));
        Server { content: content.to_vec(), breaks_after: usize::MAX, sha256, status: "200 OK", ranges: true }
    }

    /// Serves until the test ends, and returns the address.
    fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        format!("http://{address}/")
    }

    /// Like the hub: `/name` returns digest and size and redirects to another address, `/store/name`, which sends the
    /// file.
    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
        let request = lines.next()?;
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).map(|l| l.to_ascii_lowercase()).collect();
        let (method, path) = request.split_once(' ')?;
        let length = self.content.len();
        let close = "connection: close\r\n";
        if !self.status.starts_with("200") {
            write!(stream, "HTTP/1.1 {}\r\ncontent-length: 0\r\n{close}\r\n", self.status).ok()?;
        } else if !path.starts_with("/store") {
            let name = path.split(' ').next()?;
            let digest = self.sha256.as_ref().map(|tag| format!("x-linked-etag: {tag}\r\n")).unwrap_or_default();
            let head = format!("location: /store{name}\r\nx-linked-size: {length}\r\n{digest}content-length: 0\r\n");
            write!(stream, "HTTP/1.1 302 Found\r\n{head}{close}\r\n").ok()?;
        } else {
            let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-'));
            let from: usize = range.filter(|_| self.ranges).map_or(0, |from| from.parse().unwrap());
            let rest = &self.content[from..];
            let (status, range) = match from {
                0 => ("200 OK", String::new()),
                _ => ("206 Partial Content", format!("content-range: bytes {from}-{}/{length}\r\n", length - 1)),
            };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{range}{close}\r\n", rest.len()).ok()?;
            assert_eq!(method, "GET");
            stream.write_all(&rest[..rest.len().min(self.breaks_after)]).ok()?;
        }
        stream.flush().ok()
    }
}

const NAME: &str = "text.txt";

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn a_file_comes_whole_and_is_not_loaded_twice() {
    let folder = TempDir::new().unwrap();
    let base = Server::of(&content()).start();
    let mut told = Vec::new();
    let path = download(&base, NAME, folder.path(), &mut |have, of| told.push((have, of))).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content());
    assert_eq!(told.last(), Some(&(300_000, Some(300_000))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
    // Without a server: the file already exists.
    let again = download("http://127.0.0.1:1", NAME, folder.path(), &mut |_, _| panic!("loads again")).unwrap();
    assert_eq!(again, path);
}

#[test]
fn a_load_that_broke_off_goes_on_where_it_was() {
    for ranges in [true, false] {
        let folder = TempDir::new().unwrap();
        let whole = Server { ranges, ..Server::of(&content()) };
        let broken = Server { breaks_after: 100_000, ..whole.clone() }.start();
        let error = download(&broken, NAME, folder.path(), &mut |_, _| {}).unwrap_err().to_string();
        assert!(error.contains("100000") && error.contains("resumes from there"), "{error}");
        assert!(!folder.path().join(NAME).exists());
        let mut first = None;
        let path = download(&whole.start(), NAME, folder.path(), &mut |have, _| first = first.or(Some(have))).unwrap();
        assert_eq!(fs::read(path).unwrap(), content());
        assert_eq!(first.unwrap() > 100_000, ranges, "resumes if the server supports it, else restarts");
    }
}

#[test]
fn what_is_not_what_the_server_said_gets_no_name() {
    let folder = TempDir::new().unwrap();
    let wrong = Server { sha256: Some("0".repeat(64)), ..Server::of(&content()) }.start();
    let error = download(&wrong, NAME, folder.path(), &mut |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("SHA-256") && error.contains(&"0".repeat(64)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // A tag that is not a SHA-256 is ignored.
    let untold = Server { sha256: Some("\"abc\"".into()), ..Server::of(&content()) }.start();
    download(&untold, NAME, folder.path(), &mut |_, _| {}).unwrap();
}

#[test]
fn no_network_and_no_file_are_a_sentence() {
    let folder = TempDir::new().unwrap();
    let refused = download("http://127.0.0.1:1", NAME, folder.path(), &mut |_, _| {}).unwrap_err().to_string();
    let nowhere = download("https://stories.invalid", NAME, folder.path(), &mut |_, _| {}).unwrap_err().to_string();
    let missing = Server { status: "404 Not Found", ..Server::of(&[]) }.start();
    let missing = download(&missing, NAME, folder.path(), &mut |_, _| {}).unwrap_err().to_string();
    for (error, part) in [(refused, "127.0.0.1:1"), (nowhere, "stories.invalid"), (missing, "404")] {
        assert!(error.starts_with("cannot download ") && error.contains("--input") && error.contains(part), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
