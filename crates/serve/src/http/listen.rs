//! Accepts connections, and drains them at the end.

use super::patient::Patient;
use crate::app::App;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Time for a connection to send its remaining data after the answers have been cut off.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until `stop`, then until all answers are complete or their time limit is reached.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>, router: Router, stop: impl Future<Output = ()>) {
    let (told, stopping) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(app.limits.connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        // Accept only below the limit: further connections wait in the system's backlog.
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (listener.accept().await, slot)
        };
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (accepted, slot) = accepted => match accepted {
                Ok((stream, _)) => {
                    let connection = connection(stream, Arc::clone(&app), router.clone(), stopping.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                // A connection was aborted, or file descriptors ran out: later ones may succeed.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
        }
    }
    drop(listener);
    app.stop();
    // Close the listener.
    let _ = told.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let mut all = pin!(all);
    if timeout(app.limits.stop_time, &mut all).await.is_err() {
        app.engine.queue.cut();
        // Clients that read receive the error; the others are dropped.
        let _ = timeout(LAST_WORDS, all).await;
    }
}

async fn connection(stream: TcpStream, app: Arc<App>, router: Router, mut stopping: watch::Receiver<bool>) {
    // Tokens are small, and clients wait for each one.
    let _ = stream.set_nodelay(true);
    app.engine.metrics.connections.fetch_add(1, Relaxed);
    let io = TokioIo::new(Patient::new(stream, app.limits.write_time));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(app.limits.head_time).max_buf_size(64 << 10);
    let mut served = pin!(http.serve_connection(io, TowerToHyperService::new(router)));
    let mut told = false;
    loop {
        tokio::select! {
            // A client's protocol error ends its connection, and need not be reported.
            _ = served.as_mut() => break,
            _ = stopping.wait_for(|stopping| *stopping), if !told => {
                told = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
    app.engine.metrics.connections.fetch_sub(1, Relaxed);
}
