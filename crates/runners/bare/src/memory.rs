//! The memory of the firmware, by the symbols of a core's linker script.

use crate::stack;

unsafe extern "C" {
    static _stack_bottom: u32;
    static _stack_top: u32;
    static _model_start: u8;
    static _model_end: u8;
    static _request_start: u8;
    static _request_end: u8;
    static _heap_start: u8;
    static _heap_end: u8;
    static _far_heap_start: u8;
    static _far_heap_end: u8;
}

/// The bytes from one symbol to another.
///
/// # Safety
/// The symbols bound one range of initialised memory that nothing writes to.
unsafe fn between(start: *const u8, end: *const u8) -> &'static [u8] {
    // SAFETY: the caller guarantees the range; the linker never assigns it the address 0, where stack or vectors are.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// The model file.
pub fn model() -> &'static [u8] {
    // SAFETY: the linker script places the symbols around the blob, in a read-only section.
    unsafe { between(&raw const _model_start, &raw const _model_end) }
}

/// The request's text.
pub fn request() -> &'static [u8] {
    // SAFETY: the linker script places the symbols around the blob, in a read-only section.
    unsafe { between(&raw const _request_start, &raw const _request_end) }
}

/// The memory for the heap, the near one first: the first byte and the length of each; the far one may be empty.
pub fn heap_regions() -> [(*mut u8, usize); 2] {
    let region = |start: *const u8, end: *const u8| (start.cast_mut(), end.addr() - start.addr());
    [region(&raw const _heap_start, &raw const _heap_end), region(&raw const _far_heap_start, &raw const _far_heap_end)]
}

/// Bytes between stack and heap: variables, and code and constants where they are in the same memory.
pub fn static_bytes() -> usize {
    (&raw const _heap_start).addr() - (&raw const _stack_top).addr()
}

/// Size of the stack in bytes.
pub fn stack_bytes() -> usize {
    (&raw const _stack_top).addr() - (&raw const _stack_bottom).addr()
}

/// Peak stack use in bytes so far.
pub fn stack_high_water() -> usize {
    // SAFETY: the words between the two symbols are the stack's; those below the deepest call were written by start-up.
    unsafe { stack::high_water(&raw const _stack_bottom, &raw const _stack_top) }
}
