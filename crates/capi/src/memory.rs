//! Memory of the caller: the only place that touches it.

use crate::error::{BitstateStatus, Failure};
use std::marker::PhantomData;

/// What the caller lets a call read.
///
/// # Safety
/// `values` has `length` initialised values that nobody changes meanwhile, or is null.
pub(crate) unsafe fn read<'a, T>(values: *const T, length: usize) -> Result<&'a [T], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    check(values, length)?;
    // SAFETY: not null, aligned, of a size that memory can have; the rest is the caller's word.
    Ok(unsafe { std::slice::from_raw_parts(values, length) })
}

/// One value that the caller lets a call read; `None` where it is null.
///
/// # Safety
/// As [`read`], with one value.
pub(crate) unsafe fn read_one<'a, T>(value: *const T) -> Result<Option<&'a T>, Failure> {
    if value.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's word.
    Ok(unsafe { read(value, 1) }?.first())
}

/// Text that the caller lets a call read.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn text<'a>(text: *const std::ffi::c_char, length: usize) -> Result<&'a str, Failure> {
    // SAFETY: the caller's word; a character of C has the size of a byte.
    let bytes = unsafe { read(text.cast::<u8>(), length) }?;
    std::str::from_utf8(bytes).map_err(|error| {
        Failure::new(BitstateStatus::Utf8, format!("the text is not UTF-8 at byte {}", error.valid_up_to()))
    })
}

/// Room of the caller that a call writes into, and that may hold anything before.
pub(crate) struct Out<'a, T> {
    values: *mut T,
    length: usize,
    room: PhantomData<&'a mut T>,
}

impl<T: Copy> Out<'_, T> {
    /// Room for so many values.
    ///
    /// # Safety
    /// `values` has room for `length` values that nobody else uses meanwhile, or is null.
    pub unsafe fn new(values: *mut T, length: usize) -> Result<Self, Failure> {
        if length > 0 {
            check(values, length)?;
        }
        Ok(Out { values, length, room: PhantomData })
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// Writes one value into room for one.
    pub fn write(&self, value: T) -> Result<(), Failure> {
        self.copy(&[value])
    }

    /// Writes values, no more than there is room for.
    pub fn copy(&self, values: &[T]) -> Result<(), Failure> {
        if values.len() > self.length {
            return Err(Failure::new(BitstateStatus::Room, "the room is too small"));
        }
        if !values.is_empty() {
            // SAFETY: `new` checked the pointer and has the caller's word for the room; ours is memory of this library, so
            // that the two do not overlap.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.values, values.len()) };
        }
        Ok(())
    }
}

/// Copies what there is room for.
///
/// # Safety
/// `to` has `room` bytes, or is null.
pub(crate) unsafe fn copy_some(from: &[u8], to: *mut u8, room: usize) {
    if !to.is_null() {
        // SAFETY: the caller's word for the room, of which no more is used; `from` is memory of this library.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len().min(room)) };
    }
}

fn check<T>(values: *const T, length: usize) -> Result<(), Failure> {
    if values.is_null() || !values.is_aligned() {
        let message = "a pointer is null or not aligned, and memory is needed there";
        return Err(Failure::new(BitstateStatus::Null, message));
    }
    match length.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(Failure::new(BitstateStatus::Size, format!("{length} values are more than memory can have"))),
    }
}
