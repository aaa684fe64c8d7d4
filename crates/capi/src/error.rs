//! The status of a call, and its error message.

use crate::memory::{self, Out};
use bitstate::Error;
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The status of a call.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitstateStatus {
    /// Success.
    Ok = 0,
    /// The model ended the text: no token was added. This is not an error; the next call may continue.
    End = 1,
    /// A required pointer is null or not aligned.
    Null = -1,
    /// A length is wrong, or larger than memory can be.
    Size = -2,
    /// There is no such model or session: it was never created, or was freed.
    Handle = -3,
    /// Another thread is using the session.
    Busy = -4,
    /// The buffer is too small: the required length was written, and nothing was consumed.
    Room = -5,
    /// The text is not UTF-8.
    Utf8 = -6,
    /// A file, model, text or parameter is invalid; `bitstate_last_error` says which and how to fix it.
    Refused = -7,
    /// A bug in the library: the call did not complete.
    Panic = -8,
}

/// Status and message of a failed call.
pub(crate) struct Failure(pub BitstateStatus, pub String);

impl Failure {
    pub fn new(status: BitstateStatus, message: impl Into<String>) -> Self {
        Failure(status, message.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(BitstateStatus::Refused, error.to_string())
    }
}

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a call: returns its status and keeps its message for [`bitstate_last_error`]. A panic also becomes a status.
pub(crate) fn call(run: impl FnOnce() -> Result<BitstateStatus, Failure>) -> i32 {
    let done = catch_unwind(AssertUnwindSafe(run));
    let (status, message) = match done {
        Ok(Ok(status)) => return status as i32,
        Ok(Err(Failure(status, message))) => (status, message),
        Err(panic) => (BitstateStatus::Panic, format!("a bug in bitstate: {}", text_of(&*panic))),
    };
    // While a thread exits, its storage is gone.
    let _ = LAST.try_with(|last| *last.borrow_mut() = message);
    status as i32
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<&str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("a panic", String::as_str),
    }
}

/// Copies the error message of this thread's last failed call, at most `room` bytes, without a terminating zero. Returns the
/// length of the whole message.
///
/// # Safety
/// `text` has `room` bytes, or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_last_error(text: *mut c_char, room: usize) -> usize {
    let message = LAST.try_with(|last| last.borrow().clone()).unwrap_or_default();
    // SAFETY: the caller guarantees it.
    unsafe { memory::copy_some(message.as_bytes(), text.cast(), room) };
    message.len()
}

/// A short description of a status, zero-terminated and never null.
#[unsafe(no_mangle)]
pub extern "C" fn bitstate_status_text(status: i32) -> *const c_char {
    let text: &'static CStr = match status {
        0 => c"ok",
        1 => c"the text has ended",
        -1 => c"a pointer is null or not aligned",
        -2 => c"a length is wrong",
        -3 => c"no such model or session",
        -4 => c"the session is in use by another thread",
        -5 => c"the buffer is too small",
        -6 => c"not UTF-8",
        -7 => c"refused",
        -8 => c"a bug in the library",
        _ => c"not a status of bitstate",
    };
    text.as_ptr()
}

/// Writes a length, and the values if all of them fit.
pub(crate) fn give<T: Copy>(values: &[T], room: Out<T>, length: Out<usize>) -> Result<BitstateStatus, Failure> {
    length.write(values.len())?;
    if room.len() < values.len() {
        let message = format!("the buffer has room for {} values, but {} are needed", room.len(), values.len());
        return Err(Failure::new(BitstateStatus::Room, message));
    }
    room.copy(values)?;
    Ok(BitstateStatus::Ok)
}
