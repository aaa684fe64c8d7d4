//! The queue of jobs for the generation threads.

use super::Job;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs that have their slots, so there are never more than slots.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
    /// Whether running answers must be cut off.
    cut: AtomicBool,
}

struct Inner {
    jobs: VecDeque<Job>,
    /// Number of jobs of each thread.
    active: Vec<usize>,
    closed: bool,
}

impl Queue {
    pub fn new(threads: usize) -> Self {
        let inner = Inner { jobs: VecDeque::new(), active: vec![0; threads], closed: false };
        Queue { inner: Mutex::new(inner), ready: Condvar::new(), cut: AtomicBool::new(false) }
    }

    pub fn push(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.ready.notify_all();
    }

    /// The jobs that `thread`, which has `active` jobs, should start: those that would not be better off on a thread with fewer
    /// jobs. A thread without jobs waits. `None` if no more jobs will come.
    pub fn take(&self, thread: usize, active: usize) -> Option<Vec<Job>> {
        let mut inner = self.lock();
        loop {
            inner.active[thread] = active;
            let mut taken = Vec::new();
            while inner.active.iter().all(|&others| inner.active[thread] <= others) {
                let Some(job) = inner.jobs.pop_front() else { break };
                inner.active[thread] += 1;
                taken.push(job);
            }
            if !taken.is_empty() || active > 0 {
                return Some(taken);
            }
            if inner.closed {
                return None;
            }
            inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the queue: threads end after their current jobs.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Cuts off running answers.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code panics while it holds the lock, so the data is consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
