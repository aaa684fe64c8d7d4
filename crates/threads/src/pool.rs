//! The pool: threads that live as long as it does.

use crate::Workers;
use crate::shared::Shared;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{Builder, JoinHandle};

/// A few threads that share the work of a caller. One call is divided at a time; a concurrent call from another thread,
/// or from within a task, runs entirely on its own thread.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held by the caller whose task is divided.
    caller: Mutex<()>,
}

impl Pool {
    /// A pool of `threads` threads, including the caller's: 1 divides nothing.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    ///
    /// # Panics
    /// If `threads` is 0.
    pub fn new(threads: usize) -> io::Result<Self> {
        assert!(threads > 0, "a pool of no threads could do nothing");
        let mut pool = Pool { shared: Arc::default(), workers: Vec::new(), caller: Mutex::new(()) };
        for i in 1..threads {
            let shared = pool.shared.clone();
            pool.workers.push(Builder::new().name(format!("bitstate-{i}")).spawn(move || shared.work())?);
        }
        Ok(pool)
    }

    /// Number of threads, including the caller's.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task(i, chunk)` once for each chunk of `chunk` items of `items`, the last one possibly shorter; returns
    /// when all calls have returned.
    ///
    /// # Panics
    /// If `chunk` is 0, or a call of `task` panics, with the panic of one of them.
    pub fn divide<T: Send>(&self, items: &mut [T], chunk: usize, task: impl Fn(usize, &mut [T]) + Sync) {
        let alone = self.workers.is_empty() || items.len() <= chunk;
        let caller = match self.caller.try_lock() {
            Ok(caller) if !alone => caller,
            // A task that panicked left no inconsistent state.
            Err(TryLockError::Poisoned(caller)) if !alone => caller.into_inner(),
            _ => return items.chunks_mut(chunk).enumerate().for_each(|(i, chunk)| task(i, chunk)),
        };
        let chunks = Mutex::new(items.chunks_mut(chunk).enumerate());
        let next = || chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
        let take_all = || {
            while let Some((i, chunk)) = next() {
                task(i, chunk);
            }
        };
        self.shared.run(&take_all, || self.wake());
        drop(caller);
    }

    fn wake(&self) {
        for worker in &self.workers {
            worker.thread().unpark();
        }
    }
}

impl Workers for Pool {
    fn divide(&self, out: &mut [f32], chunk: usize, task: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        Pool::divide(self, out, chunk, task);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop();
        self.wake();
        for worker in self.workers.drain(..) {
            // A worker ends only here, and catches panics of a task.
            let _ = worker.join();
        }
    }
}
