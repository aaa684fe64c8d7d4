//! Serves the page on this machine, like any file server. Each response closes its connection, so that a browser gets
//! "connection refused" from a stopped server instead of waiting for it.

use anyhow::Context;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Serves one folder until it is dropped.
pub struct Site {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Origin of the page.
    pub origin: String,
}

impl Site {
    /// Serves `folder` on a free local port.
    pub fn new(folder: &Path) -> anyhow::Result<Site> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot serve")?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, folder) = (is_over.clone(), folder.to_path_buf());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let folder = folder.clone();
                // A browser that has disconnected needs no response.
                std::thread::spawn(move || answer(&stream, &folder).ok());
            }
        });
        Ok(Site { address, is_over, thread: Some(thread), origin: format!("http://{address}") })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread, which ends and closes the port.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The request headers are not needed.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or("/").split(['?', '#']).next().unwrap_or("/").trim_start_matches('/');
    let (status, bytes) = file(folder, path).map_or(("404 Not Found", Vec::new()), |bytes| ("200 OK", bytes));
    let (kind, length) = (kind(path), bytes.len());
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&bytes)
}

fn file(folder: &Path, path: &str) -> Option<Vec<u8>> {
    let path = if path.is_empty() { "index.html" } else { path };
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    std::fs::read::<PathBuf>(inside.then(|| folder.join(path))?).ok()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("html", |(_, ending)| ending) {
        "html" => "text/html",
        "js" => "text/javascript",
        "css" => "text/css",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}
