//! Serves the page and its files on the loopback interface, and receives the one answer.

use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tiny_http::{Header, Method, Request, Response, Server};

const PAGE: &str = include_str!("page.html");
const WORKER: &str = include_str!("worker.js");
/// Longest answer, in bytes.
const ANSWER_LIMIT: u64 = 64 << 20;
/// How often to check that the browser is still running.
const TURN: Duration = Duration::from_millis(50);

/// The final message of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The guest's status, or 3 if there is none.
    pub status: u8,
    /// The lines of its answer.
    pub text: String,
    /// Why there is no answer, or the guest's other messages.
    pub reasons: String,
}

/// Serves the page until it is dropped.
pub struct Site {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
    said: Receiver<Said>,
    /// URL of the page.
    pub address: String,
}

impl Site {
    /// Serves the page with these files.
    pub fn new(files: &[(&'static str, Vec<u8>)]) -> anyhow::Result<Site> {
        let server = Server::http("127.0.0.1:0").map_err(|error| anyhow!("cannot serve the page: {error}"))?;
        let server = Arc::new(server);
        let mut served: BTreeMap<&str, Vec<u8>> = files.iter().cloned().collect();
        served.insert("", PAGE.into());
        served.insert("worker.js", WORKER.into());
        // Other programs on this machine do not know the secret path.
        let name = format!("{:016x}", seed()?);
        let address = format!("http://{}/{name}/", server.server_addr());
        let (sender, said) = mpsc::channel();
        let own = server.clone();
        let thread = std::thread::spawn(move || {
            for request in own.incoming_requests() {
                let path = request.url().strip_prefix('/').and_then(|path| path.strip_prefix(name.as_str()));
                let path = path.and_then(|path| path.strip_prefix('/')).map(str::to_string);
                // A browser that has disconnected needs no response.
                let _ = answer(request, path.as_deref(), &served, &sender);
            }
        });
        Ok(Site { server, thread: Some(thread), said, address })
    }

    /// Waits up to `limit` for the page's message; `None` if there is none, or if `is_over`.
    pub fn wait(&self, limit: Duration, mut is_over: impl FnMut() -> bool) -> Option<Said> {
        let since = Instant::now();
        loop {
            match self.said.recv_timeout(TURN) {
                Ok(said) => return Some(said),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if since.elapsed() > limit => return None,
                // The message may have been sent just before the exit.
                Err(RecvTimeoutError::Timeout) if is_over() => return self.said.try_recv().ok(),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // The thread returns nothing.
            let _ = thread.join();
        }
    }
}

/// An unguessable number.
fn seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    let mut source = std::fs::File::open("/dev/urandom").context("cannot read /dev/urandom")?;
    source.read_exact(&mut bytes).context("cannot read /dev/urandom")?;
    Ok(u64::from_le_bytes(bytes))
}

fn answer(
    mut request: Request,
    path: Option<&str>,
    files: &BTreeMap<&str, Vec<u8>>,
    sender: &Sender<Said>,
) -> std::io::Result<()> {
    if let (Method::Post, Some(status)) = (request.method(), path.and_then(|path| path.strip_prefix("said/"))) {
        let status = status.parse().unwrap_or(3);
        let mut body = String::new();
        request.as_reader().take(ANSWER_LIMIT).read_to_string(&mut body)?;
        let (text, reasons) = body.split_once('\0').unwrap_or(("", &body));
        // A second answer has no receiver.
        let _ = sender.send(Said { status, text: text.into(), reasons: reasons.into() });
        return request.respond(Response::empty(204));
    }
    let Some((name, bytes)) = path.and_then(|path| files.get_key_value(path)) else {
        return request.respond(Response::empty(404));
    };
    let kind = match name.rsplit_once('.').map_or("html", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    };
    let mut response = Response::from_data(bytes.clone());
    // A cross-origin isolated page gets a finer clock.
    for (key, value) in [
        ("Content-Type", kind),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Embedder-Policy", "require-corp"),
        ("Cache-Control", "no-store"),
    ] {
        if let Ok(header) = Header::from_bytes(key, value) {
            response.add_header(header);
        }
    }
    request.respond(response)
}
