//! State shared by the caller and the workers: the current task, and the workers running it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{hint, mem, thread};

/// How often a worker checks for a task before it sleeps: around a millisecond, a pause being 15 to 45 ns. The largest
/// preset takes that long between two heads.
const PAUSES: usize = 40_000;
/// Checks between two yields of the core, so that more threads than cores make progress.
const PAUSES_PER_YIELD: usize = 64;

/// A running task. Each thread that calls it processes chunks until none is left.
type Task = &'static (dyn Fn() + Sync);
type Panic = Box<dyn Any + Send>;

#[derive(Default)]
pub struct Shared {
    /// Number of tasks so far, so that a worker detects a new one.
    count: AtomicUsize,
    /// The task, as long as a worker may still start it.
    task: Mutex<Option<Task>>,
    /// Workers running the task: increases only while `task` is locked and present, so not after it was removed.
    busy: AtomicUsize,
    /// The first panic of a worker in the task.
    panic: Mutex<Option<Panic>>,
    stop: AtomicBool,
}

impl Shared {
    /// Calls `task` here and, after `wake`, on the workers that start before it is finished here; returns when all that
    /// started it have returned. One caller at a time.
    ///
    /// # Panics
    /// If the task panics, here or on a worker, with that panic.
    pub fn run(&self, task: &(dyn Fn() + Sync), wake: impl FnOnce()) {
        {
            let _open = Open::new(self, task);
            wake();
            task();
        }
        if let Some(panic) = lock(&self.panic).take() {
            std::panic::resume_unwind(panic);
        }
    }

    /// The main loop of a worker.
    pub fn work(&self) {
        let mut seen = 0;
        while !self.stop.load(Ordering::Acquire) {
            let count = self.count.load(Ordering::Acquire);
            if count == seen {
                self.wait(seen);
                continue;
            }
            seen = count;
            let Some(task) = self.begin() else { continue };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(task)) {
                lock(&self.panic).get_or_insert(panic);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }

    /// Requests the workers to end; they must be woken.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// The task, if it may still be started; the caller is then counted as busy with it.
    fn begin(&self) -> Option<Task> {
        let task = lock(&self.task);
        if task.is_some() {
            self.busy.fetch_add(1, Ordering::Relaxed);
        }
        *task
    }

    /// Waits for a task after the `seen`-th: spins, then sleeps. May return early.
    fn wait(&self, seen: usize) {
        for i in 0..PAUSES {
            if self.count.load(Ordering::Acquire) != seen {
                return;
            }
            pause(i);
        }
        // A new task unparks after incrementing the counter, so a task since the last check is not missed.
        thread::park();
    }
}

/// A task that workers may start. When dropped, also during a panic, no worker can start it any more, and all that did
/// have returned.
struct Open<'s>(&'s Shared);

impl<'s> Open<'s> {
    fn new(shared: &'s Shared, task: &(dyn Fn() + Sync)) -> Self {
        // SAFETY: only the lifetime changes. The reference lies in `shared.task` alone, where workers copy it while
        // counting themselves busy under the same lock. Dropping the `Open` takes it out of there and then waits until
        // nobody is busy, so every copy is dead by then; and `run`, which alone makes an `Open`, borrows the task for
        // longer than its `Open` lives and does not let it be forgotten.
        let task = unsafe { mem::transmute::<&(dyn Fn() + Sync), Task>(task) };
        *lock(&shared.panic) = None;
        *lock(&shared.task) = Some(task);
        shared.count.fetch_add(1, Ordering::Release);
        Open(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        *lock(&self.0.task) = None;
        // Usually only a few checks: the workers finish with the caller.
        for i in 0.. {
            if self.0.busy.load(Ordering::Acquire) == 0 {
                return;
            }
            pause(i);
        }
    }
}

/// Nothing panics while holding one of these locks, so a poisoned one is still consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pause(i: usize) {
    if i % PAUSES_PER_YIELD == PAUSES_PER_YIELD - 1 {
        thread::yield_now();
    } else {
        hint::spin_loop();
    }
}
