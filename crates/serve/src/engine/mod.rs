//! Texts in the making: threads that each take a batch of them further, a token a step. A request joins and leaves between
//! two steps; its prompt is read in slices, so that the others continue.

mod cache;
mod job;
mod queue;
mod worker;

pub(crate) use cache::Cache;
pub(crate) use job::{Event, Failure, Finish, Job};
pub(crate) use queue::Queue;

use crate::metrics::Metrics;
use bitstate::Model;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What all threads that generate share.
pub(crate) struct Engine {
    pub model: Model,
    pub queue: Queue,
    pub cache: Mutex<Cache>,
    pub metrics: Arc<Metrics>,
}

impl Engine {
    /// Starts so many threads.
    ///
    /// # Errors
    /// Where the system gives none; those that were started end.
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
