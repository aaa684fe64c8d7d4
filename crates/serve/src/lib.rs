//! An HTTP server for ternary RWKV models with an OpenAI-compatible API.
//!
//! [`Server::bind`] listens on an address, [`Server::run`] serves until it is stopped. Concurrent requests are batched; each
//! gets the same bits as when it runs alone, and a digest that shows this.
//!
//! ```no_run
//! use bitstate::Model;
//! use bitstate_serve::{Config, Server, stop_signal};
//!
//! let model = Model::builder().for_many_sessions().open("model.bits")?;
//! let server = Server::bind(model, Config::default(), "127.0.0.1:8080".parse()?)?;
//! println!("listening at {}", server.addr());
//! let ended = server.run(async { stop_signal().await })?;
//! println!("{ended}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod api;
mod app;
mod config;
mod engine;
mod error;
mod http;
mod key;
mod metrics;
mod pages;

pub use config::{Config, Limits};
pub use error::{ErrorBody, ErrorDetail, ServeError};
pub use key::{Key, KeyError};

use app::App;
use bitstate::Model;
use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A server that listens, and serves once it [runs](Server::run).
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    app: Arc<App>,
    threads: usize,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Number of requests completed.
    pub answered: u64,
    /// Number of requests cut off because the server was stopped; their clients received an error.
    pub cut: u64,
    /// Number of requests whose client disconnected.
    pub left: u64,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Served { answered, cut, left } = self;
        write!(f, "stopped: {answered} requests completed, {cut} cut, {left} abandoned by their client")
    }
}

impl Server {
    /// Listens on `addr`; port 0 picks a free port. Requests are not answered before [`run`](Server::run).
    ///
    /// # Errors
    /// If the address is in use (the error names the program) or cannot be listened on; if the model has no tokenizer, or the
    /// configuration is invalid.
    pub fn bind(model: Model, config: Config, addr: SocketAddr) -> Result<Self, ServeError> {
        if model.tokenizer().is_none() {
            let name = model.path().map_or_else(|| "the model".into(), |path| path.display().to_string());
            return Err(ServeError::NoText(name));
        }
        let listener = TcpListener::bind(addr).map_err(|cause| match cause.kind() {
            ErrorKind::AddrInUse => ServeError::InUse { addr, by: http::port::user(addr) },
            _ => ServeError::Listen { addr, cause },
        })?;
        let listen = |cause| ServeError::Listen { addr, cause };
        let addr = listener.local_addr().map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = config.threads_of(cores);
        Ok(Server { listener, addr, app: Arc::new(App::new(model, config, addr, threads)?), threads })
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The model's name for clients.
    pub fn model_name(&self) -> &str {
        &self.app.name
    }

    /// Number of generation threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Serves until `stop` completes. Then no new requests are accepted, and running answers have
    /// [`stop_time`](Limits::stop_time) to complete before they are cut off.
    ///
    /// # Errors
    /// If the system cannot start threads or an event loop.
    pub fn run(self, stop: impl Future<Output = ()>) -> Result<Served, ServeError> {
        let Server { listener, app, threads, .. } = self;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Start)?;
        let generating = app.engine.start(threads).map_err(ServeError::Start)?;
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            http::listen::serve(listener, Arc::clone(&app), api::router(Arc::clone(&app)), stop).await;
            Ok(())
        });
        app.engine.queue.close();
        app.engine.queue.cut();
        // Remaining connections are dropped here, and with them their requests.
        drop(runtime);
        for thread in generating {
            // A panic is counted, and the thread continues.
            let _ = thread.join();
        }
        served.map_err(ServeError::Start)?;
        let metrics = &app.engine.metrics;
        let [cut, left] = [&metrics.cut, &metrics.left].map(|count| count.load(Relaxed));
        Ok(Served { answered: metrics.complete.load(Relaxed), cut, left })
    }
}

/// Waits for Ctrl-C or, on Unix, SIGTERM. If neither can be observed, it waits forever.
pub async fn stop_signal() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
