//! Generation threads. Each advances a batch of texts by one token per step. Requests join and leave between steps; prompts
//! are processed in slices, so that the other texts continue.

mod cache;
mod job;
mod outbox;
mod queue;
mod worker;

pub(crate) use cache::Cache;
pub(crate) use job::{Event, Failure, Finish, Job};
pub(crate) use outbox::Outbox;
pub(crate) use queue::Queue;

use crate::metrics::Metrics;
use bitstate::Model;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// State shared by the generation threads.
pub(crate) struct Engine {
    pub model: Model,
    pub queue: Queue,
    pub cache: Mutex<Cache>,
    pub metrics: Arc<Metrics>,
}

impl Engine {
    /// Starts this many threads.
    ///
    /// # Errors
    /// If the system cannot start one; those already started end.
    pub fn start(self: &Arc<Self>, threads: usize) -> std::io::Result<Vec<JoinHandle<()>>> {
        let start = |i| {
            let engine = Arc::clone(self);
            std::thread::Builder::new().name(format!("generate {i}")).spawn(move || worker::run(&engine, i))
        };
        let started = (0..threads).map(start).collect();
        if let Err(error) = started {
            self.queue.close();
            return Err(error);
        }
        started
    }
}
