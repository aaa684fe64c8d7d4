//! Tables of models and sessions by number.

use crate::error::{BitstateStatus, Failure};
use bitstate::{Model, Session};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};

/// A session, and its text that was not fetched yet.
pub(crate) struct Open {
    pub session: Session,
    pub text: String,
}

/// The open objects by number.
struct Table<T>(Mutex<HashMap<u64, T>>);

static MODELS: LazyLock<Table<Model>> = LazyLock::new(Table::new);
static SESSIONS: LazyLock<Table<Arc<Mutex<Open>>>> = LazyLock::new(Table::new);
/// Shared by both kinds, so that a model's number is never a session's.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl<T: Clone> Table<T> {
    fn new() -> Self {
        Table(Mutex::new(HashMap::new()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, T>> {
        // No code panics while it holds the lock, so the data is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, value: T) -> u64 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, value);
        number
    }

    fn get(&self, number: u64, what: &str) -> Result<T, Failure> {
        self.lock().get(&number).cloned().ok_or_else(|| none(number, what))
    }

    fn remove(&self, number: u64, what: &str) -> Result<(), Failure> {
        // Dropped after the table is unlocked.
        let removed = self.lock().remove(&number);
        removed.map(drop).ok_or_else(|| none(number, what))
    }
}

fn none(number: u64, what: &str) -> Failure {
    let message = format!("there is no {what} {number}: it was never created, or was freed");
    Failure::new(BitstateStatus::Handle, message)
}

pub(crate) fn add_model(model: Model) -> u64 {
    MODELS.add(model)
}

pub(crate) fn model(number: u64) -> Result<Model, Failure> {
    MODELS.get(number, "model")
}

pub(crate) fn free_model(number: u64) -> Result<(), Failure> {
    MODELS.remove(number, "model")
}

pub(crate) fn add_session(session: Session, text: String) -> u64 {
    SESSIONS.add(Arc::new(Mutex::new(Open { session, text })))
}

pub(crate) fn free_session(number: u64) -> Result<(), Failure> {
    SESSIONS.remove(number, "session")
}

/// Runs `work` with a session, unless another thread is using it.
pub(crate) fn with_session<T>(number: u64, work: impl FnOnce(&mut Open) -> Result<T, Failure>) -> Result<T, Failure> {
    let open = SESSIONS.get(number, "session")?;
    let mut open = match open.try_lock() {
        Ok(open) => open,
        Err(TryLockError::WouldBlock) => {
            let message =
                format!("another thread is using session {number}: use it from one thread at a time, or clone it");
            return Err(Failure::new(BitstateStatus::Busy, message));
        }
        Err(TryLockError::Poisoned(_)) => {
            let message = format!("session {number} is inconsistent because of a bug: free it, and resume a saved one");
            return Err(Failure::new(BitstateStatus::Panic, message));
        }
    };
    work(&mut open)
}
