//! What a call comes to.

use crate::memory::{self, Out};
use bitstate::Error;
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a call came to.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitstateStatus {
    /// It did what was asked.
    Ok = 0,
    /// The model has ended the text: no token was added. No error; the next call may continue.
    End = 1,
    /// A pointer is null or not aligned, and memory is needed there.
    Null = -1,
    /// A length is not the one that is needed, or more than memory can have.
    Size = -2,
    /// There is no such model or session: it was never made, or was freed.
    Handle = -3,
    /// Another thread uses the session at this moment.
    Busy = -4,
    /// The room given is too small: the length that is needed is in its place, and nothing was taken.
    Room = -5,
    /// Text that is not UTF-8.
    Utf8 = -6,
    /// A file, a model, a text or a parameter is not right; `bitstate_last_error` says which and how to mend it.
    Refused = -7,
    /// A bug in the library: the call did not end.
    Panic = -8,
}

/// Why a call failed, in words.
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

/// Runs a call: its status, and its message for [`bitstate_last_error`]. A panic is a status too.
pub(crate) fn call(run: impl FnOnce() -> Result<BitstateStatus, Failure>) -> i32 {
    let done = catch_unwind(AssertUnwindSafe(run));
    let (status, message) = match done {
        Ok(Ok(status)) => return status as i32,
        Ok(Err(Failure(status, message))) => (status, message),
        Err(panic) => (BitstateStatus::Panic, format!("a bug in bitstate: {}", text_of(&*panic))),
    };
    // While a thread ends there is nothing to keep it in.
    let _ = LAST.try_with(|last| *last.borrow_mut() = message);
    status as i32
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<&str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("a panic", String::as_str),
    }
}

/// What went wrong in the last call of this thread that failed: a sentence with the fix, at most `room` bytes of it, without
/// an end mark. Returns the length of the whole.
///
/// # Safety
/// `text` has `room` bytes, or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitstate_last_error(text: *mut c_char, room: usize) -> usize {
    let message = LAST.try_with(|last| last.borrow().clone()).unwrap_or_default();
    // SAFETY: the caller says so.
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
        -5 => c"the room is too small",
        -6 => c"not UTF-8",
        -7 => c"refused",
        -8 => c"a bug in the library",
        _ => c"no status of bitstate",
    };
    text.as_ptr()
}

/// Writes a length, and the values if there is room for all of them.
pub(crate) fn give<T: Copy>(values: &[T], room: Out<T>, length: Out<usize>) -> Result<BitstateStatus, Failure> {
    length.write(values.len())?;
    if room.len() < values.len() {
        let message = format!("there is room for {}, and {} are needed", room.len(), values.len());
        return Err(Failure::new(BitstateStatus::Room, message));
    }
    room.copy(values)?;
    Ok(BitstateStatus::Ok)
}
