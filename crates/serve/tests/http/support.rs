//! A server in this process, and a client that writes HTTP by hand, so that it can also misbehave.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate::{Continuation, Model, Sampling, Stop};
use bitstate_serve::{Config, Limits, Served, Server};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Watchdog: anything longer counts as hanging.
pub const HANGS: Duration = Duration::from_secs(120);

pub fn model(name: &str) -> Model {
    let path = format!("{}/../../golden/models/{name}/model.bits", env!("CARGO_MANIFEST_DIR"));
    Model::builder().for_many_sessions().open(path).unwrap()
}

/// Limits that allow long answers.
pub fn limits() -> Limits {
    Limits { max_tokens: 100_000_000, memory: 1 << 40, ..Limits::default() }
}

/// A running server.
pub struct Running {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Served>>,
}

impl Running {
    pub fn start(config: Config) -> Self {
        Self::with(model("stories-byte"), config)
    }

    pub fn with(model: Model, config: Config) -> Self {
        let server = Server::bind(model, config, "127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = server.addr();
        let (stop, told) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let told = async {
                let _ = told.await;
            };
            server.run(told).unwrap()
        });
        Running { addr, stop: Some(stop), thread: Some(thread) }
    }

    /// Starts the shutdown.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops the server and returns how it ended.
    pub fn stop(mut self) -> Served {
        self.begin_stop();
        self.thread.take().unwrap().join().unwrap()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.set_write_timeout(Some(HANGS)).unwrap();
        stream
    }

    /// Sends bytes, and reads until the server closes the connection.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // A server that rejects the request need not read all of it.
        let _ = stream.write_all(bytes);
        read_all(&mut stream)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string())
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        Reply::new(&self.raw(request(method, path, headers, body).as_bytes()))
    }

    /// A completion that must succeed.
    pub fn complete(&self, body: &Value) -> Value {
        let reply = self.post("/v1/completions", body);
        assert_eq!(reply.status, 200, "{body}: {}", reply.text());
        reply.json()
    }

    /// The chunks of a streamed request.
    pub fn streamed(&self, path: &str, body: &Value) -> Vec<Value> {
        let mut body = body.clone();
        body["stream"] = json!(true);
        let reply = self.post(path, &body);
        assert_eq!(reply.status, 200, "{body}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("text/event-stream"));
        let (chunks, done) = events(&reply.text());
        assert!(done, "the stream is complete");
        chunks
    }

    /// Number of slots in use.
    pub fn taken(&self) -> u64 {
        self.get("/health").json()["slots_taken"].as_u64().unwrap()
    }

    /// Waits until this many slots are in use.
    pub fn wait_for_taken(&self, wanted: u64) {
        let start = Instant::now();
        while self.taken() != wanted {
            assert!(start.elapsed() < HANGS, "{} slots are taken, {wanted} are wanted", self.taken());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until a metric has this value.
    pub fn wait_for(&self, name: &str, wanted: f64) {
        let start = Instant::now();
        while self.metric(name) != wanted {
            assert!(start.elapsed() < HANGS, "{name} is {}, {wanted} is wanted", self.metric(name));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut room = [0; 65536];
    loop {
        match stream.read(&mut room) {
            Ok(0) => return all,
            Ok(n) => all.extend(&room[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("the server hangs: {error}, after {:?}", String::from_utf8_lossy(&all)),
        }
    }
}

/// A request after which the server closes the connection.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut out = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        out += "host: localhost\r\n";
    }
    for (name, value) in headers {
        out += &format!("{name}: {value}\r\n");
    }
    out + &format!("content-length: {}\r\n\r\n{body}", body.len())
}

pub fn completion(body: &Value) -> String {
    request("POST", "/v1/completions", &[("content-type", "application/json")], &body.to_string())
}

/// The chunks of a stream, and whether it is complete.
pub fn events(text: &str) -> (Vec<Value>, bool) {
    let mut chunks = Vec::new();
    for event in text.split_terminator("\n\n").filter(|event| !event.starts_with(':')) {
        match event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event:?} is not an event")) {
            "[DONE]" => return (chunks, true),
            data => chunks.push(serde_json::from_str(data).unwrap()),
        }
    }
    (chunks, false)
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn new(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_string()));
        let headers = lines.map(|line| header(line).unwrap()).collect();
        let mut reply = Reply { status, headers, body: bytes[end + 4..].to_vec() };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = dechunk(&reply.body);
        }
        reply
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The message of an error.
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_string()
    }
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).unwrap(), 16).unwrap();
        if size == 0 {
            return out;
        }
        out.extend(&bytes[at + 2..][..size]);
        bytes = &bytes[at + 2 + size + 2..];
    }
    panic!("the response ends early");
}

/// The digest and text of a completion by the library.
pub fn by_library(model: &Model, prompt: &str, sampling: Sampling, stop: Stop) -> (String, String) {
    let mut session = model.session(sampling).unwrap();
    session.feed_text(prompt).unwrap();
    let mut one = Continuation::new(session, stop);
    let mut text = String::new();
    while let Some(piece) = one.step().unwrap() {
        text += &piece.text;
    }
    text += &one.finish();
    (one.digest().to_string(), text)
}

/// Pseudorandom numbers, the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
