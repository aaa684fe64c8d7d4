//! State shared by all requests of a server.

use crate::config::{Config, Limits};
use crate::engine::{Cache, Engine, Event, Job, Outbox, Queue};
use crate::error::{ApiError, ServeError};
use crate::http::guard::Hosts;
use crate::key::Key;
use crate::metrics::Metrics;
use axum::http::{HeaderValue, StatusCode};
use bitstate::{Model, Sampling, Stop};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};

/// Each thread has its own batch.
const MOST_THREADS: usize = 1024;

/// State shared by all requests.
pub(crate) struct App {
    pub name: String,
    pub sha256: String,
    /// Start time of the server, in seconds since 1970.
    pub created: u64,
    pub engine: Arc<Engine>,
    pub limits: Limits,
    pub hosts: Hosts,
    pub origins: Vec<HeaderValue>,
    pub key: Option<Key>,
    slots: Arc<Semaphore>,
    /// Memory for answers, in KiB.
    memory: Arc<Semaphore>,
    line: Semaphore,
    stopping: AtomicBool,
    stop: Notify,
    /// Prefix of the ids of this server's answers.
    id: String,
    answers: AtomicU64,
}

/// A generation task.
pub(crate) struct Task {
    pub prompt: Vec<u32>,
    pub sampling: Sampling,
    pub stop: Stop,
    pub n: u32,
    /// Largest size of all answers in KiB.
    pub memory: u32,
}

/// An answer in progress.
pub(crate) struct Coming {
    pub events: UnboundedReceiver<Event>,
    /// Memory for data that the client has not received yet.
    pub memory: OwnedSemaphorePermit,
}

impl App {
    /// Creates the state for a server of `model` that listens at `addr`, with this many generation threads.
    pub fn new(model: Model, config: Config, addr: SocketAddr, threads: usize) -> Result<Self, ServeError> {
        let Config { limits, prompt_cache, .. } = config;
        limits.check()?;
        if threads > MOST_THREADS {
            return Err(ServeError::Limit { what: "threads", found: threads, least: 0, most: MOST_THREADS });
        }
        let origins: Result<Vec<HeaderValue>, ServeError> = config.origins.iter().map(|name| origin(name)).collect();
        let metrics = Metrics::new(limits.slots, prompt_cache, limits.answer_time);
        Ok(App {
            name: config.name.unwrap_or_else(|| name(&model)),
            sha256: model.sha256().to_string(),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            engine: Arc::new(Engine {
                model,
                queue: Queue::new(threads),
                cache: Mutex::new(Cache::new(prompt_cache)),
                metrics: Arc::new(metrics),
            }),
            hosts: Hosts::new(&config.hosts, addr),
            origins: origins?,
            key: config.key,
            slots: Arc::new(Semaphore::new(limits.slots)),
            memory: Arc::new(Semaphore::new(limits.memory >> 10)),
            line: Semaphore::new(limits.queue),
            stopping: AtomicBool::new(false),
            stop: Notify::new(),
            id: format!("{:016x}", RandomState::new().build_hasher().finish()),
            answers: AtomicU64::new(0),
            limits,
        })
    }

    /// An id for an answer.
    pub fn id(&self, kind: &str) -> String {
        format!("{kind}-{}{:08x}", self.id, self.answers.fetch_add(1, Ordering::Relaxed))
    }

    /// Number of slots in use.
    pub fn taken(&self) -> usize {
        self.limits.slots - self.slots.available_permits()
    }

    /// Bytes reserved for answers.
    pub fn reserved(&self) -> usize {
        self.limits.memory - (self.memory.available_permits() << 10)
    }

    /// Stops accepting new requests.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for the slots that a task needs, and passes it to the engine. If the caller is dropped, the task leaves the queue,
    /// or its generation stops.
    pub async fn submit(&self, task: Task, start: Instant) -> Result<Coming, ApiError> {
        let deadline = start + self.limits.answer_time;
        let Task { prompt, sampling, stop, n, memory } = task;
        let (slots, memory) = self.room(n, memory, deadline).await?;
        let (sender, events) = unbounded_channel();
        self.engine.queue.push(Job {
            prompt,
            sampling,
            stop,
            n: n as usize,
            slots,
            deadline,
            events: Outbox::new(sender),
        });
        Ok(Coming { events, memory })
    }

    /// Waits until both slots and memory are available.
    async fn room(&self, n: u32, memory: u32, deadline: Instant) -> Result<Room, ApiError> {
        let mut stop = std::pin::pin!(self.stop.notified());
        stop.as_mut().enable();
        if self.is_stopping() {
            return Err(ApiError::stopping());
        }
        // Memory first: a request that waits for it does not hold a slot.
        if let Ok(memory) = Arc::clone(&self.memory).try_acquire_many_owned(memory)
            && let Ok(slots) = Arc::clone(&self.slots).try_acquire_many_owned(n)
        {
            return Ok((slots, memory));
        }
        let Ok(_in_line) = self.line.try_acquire() else {
            let message = format!(
                "all {} slots or the memory for answers are in use, and {} requests are already queued: try again in a second",
                self.limits.slots, self.limits.queue
            );
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message));
        };
        let waiting = Waiting::new(&self.engine.metrics.waiting);
        let room = async {
            let memory = Arc::clone(&self.memory).acquire_many_owned(memory).await?;
            Ok::<_, AcquireError>((Arc::clone(&self.slots).acquire_many_owned(n).await?, memory))
        };
        let room = tokio::select! {
            room = tokio::time::timeout_at(deadline.into(), room) => room,
            () = stop => return Err(ApiError::stopping()),
        };
        drop(waiting);
        match room {
            Ok(Ok(room)) => Ok(room),
            // The semaphores are never closed.
            Ok(Err(_)) => Err(ApiError::stopping()),
            Err(_) => {
                let seconds = self.limits.answer_time.as_secs();
                let message = format!("no slot was free within {seconds} seconds: try again later");
                Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message))
            }
        }
    }
}

/// Slots, and memory for the answers.
type Room = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Counts as waiting until it is dropped.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The name in the model's description, or the file name.
fn name(model: &Model) -> String {
    if let Some(description) = model.description() {
        return description.name.clone();
    }
    let stem = model.path().and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "model".into())
}

/// Whether an origin has the form that browsers send.
fn origin(name: &str) -> Result<HeaderValue, ServeError> {
    let host = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://"));
    let good = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']));
    HeaderValue::from_str(name).ok().filter(|_| good).ok_or_else(|| ServeError::Origin(name.into()))
}
