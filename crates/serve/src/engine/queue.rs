//! Jobs on their way to the threads that generate.

use super::Job;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs that have their slots, and so are no more than there are slots.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
    /// Whether what is in the making is to be cut.
    cut: AtomicBool,
}

struct Inner {
    jobs: VecDeque<Job>,
    /// Jobs that each thread works on.
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

    /// The jobs that `thread`, which works on so many, is to begin: those that would not be better off with one that works
    /// on fewer. One that has none waits. `None` where no more come.
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

    /// No more jobs come: threads end with those that they have.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// What is in the making is to be cut.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
