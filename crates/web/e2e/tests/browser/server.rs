//! Serves the page on this machine, as any file server does.

use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tiny_http::{Header, Response, Server};

/// A server of one folder, until it is dropped.
pub struct Site {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
    /// The address of the page.
    pub origin: String,
}

impl Site {
    /// Serves `folder` at `address`, or at a free port of this machine.
    pub fn new(folder: &Path, address: Option<&str>) -> anyhow::Result<Site> {
        let server =
            Server::http(address.unwrap_or("127.0.0.1:0")).map_err(|error| anyhow!("cannot serve: {error}"))?;
        let server = Arc::new(server);
        let origin = format!("http://{}", server.server_addr());
        let (own, folder) = (server.clone(), folder.to_path_buf());
        let thread = std::thread::spawn(move || {
            for request in own.incoming_requests() {
                let path = request.url().split(['?', '#']).next().unwrap_or("/").trim_start_matches('/').to_string();
                // So that a server that is gone is one that refuses, and not one that keeps a browser waiting.
                let close = header("Connection", "close");
                // A browser that has gone needs no answer.
                let _ = match file(&folder, &path) {
                    Some(bytes) => {
                        request.respond(Response::from_data(bytes).with_header(kind(&path)).with_header(close))
                    }
                    None => request.respond(Response::from_string("there is no such file").with_status_code(404)),
                };
            }
        });
        Ok(Site { server, thread: Some(thread), origin })
    }

    /// Host and port.
    pub fn address(&self) -> anyhow::Result<String> {
        Ok(self.origin.strip_prefix("http://").context("an address")?.to_string())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // It ends by itself.
            let _ = thread.join();
        }
    }
}

fn file(folder: &Path, path: &str) -> Option<Vec<u8>> {
    let path = if path.is_empty() { "index.html" } else { path };
    let inside = Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    std::fs::read::<PathBuf>(inside.then(|| folder.join(path))?).ok()
}

fn kind(path: &str) -> Header {
    let kind = match path.rsplit_once('.').map_or("html", |(_, ending)| ending) {
        "html" => "text/html",
        "js" => "text/javascript",
        "css" => "text/css",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    };
    header("Content-Type", kind)
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("these are headers")
}
