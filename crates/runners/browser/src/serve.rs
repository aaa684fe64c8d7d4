//! Serves the page and its files on the loopback interface, and receives the one answer.

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::collections::BTreeMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, timeout};

const PAGE: &str = include_str!("page.html");
const WORKER: &str = include_str!("worker.js");
/// Longest answer, in bytes.
const ANSWER_LIMIT: usize = 64 << 20;
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

/// What the requests need.
struct Shared {
    files: BTreeMap<&'static str, Bytes>,
    /// The files that the browser requested, in this order.
    fetched: Mutex<Vec<&'static str>>,
    sender: UnboundedSender<Said>,
}

/// Serves the page while it waits for the answer.
pub struct Site {
    runtime: Runtime,
    shared: Arc<Shared>,
    said: UnboundedReceiver<Said>,
    /// URL of the page.
    pub address: String,
}

impl Site {
    /// Serves the page with these files.
    pub fn new(files: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> anyhow::Result<Site> {
        let mut files: BTreeMap<_, Bytes> = files.into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
        files.insert("page.html", PAGE.into());
        files.insert("worker.js", WORKER.into());
        let (sender, said) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { files, fetched: Mutex::default(), sender });
        // Other programs on this machine do not know the secret path.
        let folder = format!("/{:016x}", seed()?);
        let routes = Router::new()
            .route(&format!("{folder}/{{name}}"), get(file))
            .route(&format!("{folder}/said/{{status}}"), post(answer))
            .layer(DefaultBodyLimit::max(ANSWER_LIMIT))
            .with_state(shared.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot serve the page")?;
        let listener =
            runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).context("cannot serve the page")?;
        let address = format!("http://{}{folder}/page.html", listener.local_addr().context("cannot serve the page")?);
        runtime.spawn(async { axum::serve(listener, routes).await });
        Ok(Site { runtime, shared, said, address })
    }

    /// Waits up to `limit` for the page's message; `None` if there is none, or if `is_over`.
    pub fn wait(&mut self, limit: Duration, mut is_over: impl FnMut() -> bool) -> Option<Said> {
        self.runtime.block_on(async {
            let end = Instant::now() + limit;
            loop {
                match timeout(TURN, self.said.recv()).await {
                    Ok(said) => return said,
                    Err(_) if Instant::now() > end => return None,
                    // The message may have been sent just before the exit.
                    Err(_) if is_over() => return self.said.try_recv().ok(),
                    Err(_) => {}
                }
            }
        })
    }

    /// The files that the browser has requested, as a list for a message.
    pub fn fetched(&self) -> String {
        match &self.shared.fetched.lock().unwrap_or_else(PoisonError::into_inner)[..] {
            [] => "nothing".into(),
            names => names.join(", "),
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

/// One of the files.
async fn file(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let Some((&name, bytes)) = shared.files.get_key_value(name.as_str()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    shared.fetched.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    let kind = match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    };
    // A cross-origin isolated page gets a finer clock.
    let headers = [
        (header::CONTENT_TYPE, kind),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, bytes.clone()).into_response()
}

/// The message of the page.
async fn answer(State(shared): State<Arc<Shared>>, Path(status): Path<String>, body: String) -> StatusCode {
    let (text, reasons) = body.split_once('\0').unwrap_or(("", &body));
    let said = Said { status: status.parse().unwrap_or(3), text: text.into(), reasons: reasons.into() };
    // A second answer has no receiver.
    let _ = shared.sender.send(said);
    StatusCode::NO_CONTENT
}
