//! Access to the caller's memory; the only module that touches it.

use crate::error::{BitstateStatus, Failure};
use std::marker::PhantomData;

/// A slice that the caller lets a call read.
///
/// # Safety
/// `values` has `length` initialised values that do not change during the call, or is null.
pub(crate) unsafe fn read<'a, T>(values: *const T, length: usize) -> Result<&'a [T], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    check(values, length)?;
    // SAFETY: not null, aligned, of a possible size; the caller guarantees the rest.
    Ok(unsafe { std::slice::from_raw_parts(values, length) })
}

/// One value that the caller lets a call read; `None` if it is null.
///
/// # Safety
/// Like [`read`], with one value.
pub(crate) unsafe fn read_one<'a, T>(value: *const T) -> Result<Option<&'a T>, Failure> {
    if value.is_null() {
        return Ok(None);
    }
    // SAFETY: guaranteed by the caller.
    Ok(unsafe { read(value, 1) }?.first())
}

/// Text that the caller lets a call read.
///
/// # Safety
/// Like [`read`].
pub(crate) unsafe fn text<'a>(text: *const std::ffi::c_char, length: usize) -> Result<&'a str, Failure> {
    // SAFETY: guaranteed by the caller; a C character has the size of a byte.
    let bytes = unsafe { read(text.cast::<u8>(), length) }?;
    std::str::from_utf8(bytes).map_err(|error| {
        Failure::new(BitstateStatus::Utf8, format!("the text is not UTF-8 at byte {}", error.valid_up_to()))
    })
}

/// The caller's buffer that a call writes to; it may be uninitialised.
pub(crate) struct Out<'a, T> {
    values: *mut T,
    length: usize,
    room: PhantomData<&'a mut T>,
}

impl<T: Copy> Out<'_, T> {
    /// A buffer for this many values.
    ///
    /// # Safety
    /// `values` has room for `length` values that nobody else uses during the call, or is null.
    pub unsafe fn new(values: *mut T, length: usize) -> Result<Self, Failure> {
        if length > 0 {
            check(values, length)?;
        }
        Ok(Out { values, length, room: PhantomData })
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// Writes one value to a buffer for one.
    pub fn write(&self, value: T) -> Result<(), Failure> {
        self.copy(&[value])
    }

    /// Writes values; an error if they do not fit.
    pub fn copy(&self, values: &[T]) -> Result<(), Failure> {
        if values.len() > self.length {
            return Err(Failure::new(BitstateStatus::Room, "the buffer is too small"));
        }
        if !values.is_empty() {
            // SAFETY: `new` checked the pointer, and the caller guarantees the room; the source is memory of this library, so
            // that the two do not overlap.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.values, values.len()) };
        }
        Ok(())
    }
}

/// Copies as much as fits.
///
/// # Safety
/// `to` has `room` bytes, or is null.
pub(crate) unsafe fn copy_some(from: &[u8], to: *mut u8, room: usize) {
    if !to.is_null() {
        // SAFETY: the caller guarantees the room, and no more is used; `from` is memory of this library.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len().min(room)) };
    }
}

fn check<T>(values: *const T, length: usize) -> Result<(), Failure> {
    if values.is_null() || !values.is_aligned() {
        let message = "a required pointer is null or not aligned";
        return Err(Failure::new(BitstateStatus::Null, message));
    }
    match length.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(Failure::new(BitstateStatus::Size, format!("{length} values are more than memory can hold"))),
    }
}
