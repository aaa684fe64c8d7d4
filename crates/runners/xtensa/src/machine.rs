//! The machine under the firmware: semihosting, the cycle counter, and the symbols of the linker script. All `unsafe`
//! code of the start-up is here or in `heap.rs`.

use core::fmt;

/// Exit statuses of the firmware.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Status {
    /// Every job succeeded.
    Ok = 0,
    /// A job failed, as the answer reports, or none could start, as the notes report.
    Failed = 1,
    /// The firmware panicked, including out of memory.
    Panicked = 101,
    /// The core raised an exception.
    Trapped = 102,
}

/// Instructions per tick of the cycle counter: QEMU under `-icount shift=0` runs one instruction per virtual
/// nanosecond, and this core's clock is 40 MHz.
const INSTRUCTIONS_PER_TICK: u64 = 25;

/// The pattern that start-up fills the stack with (`start.S`).
const STACK_PAINT: u32 = 0xb175_a7e5;

const SYS_EXIT: u32 = 1;
const SYS_WRITE: u32 = 4;

unsafe extern "C" {
    /// Requests a service of the simulator.
    fn bitstate_simcall(number: u32, a: usize, b: usize, c: usize) -> i32;
    /// Reads the cycle counter.
    safe fn bitstate_ccount() -> u32;

    static _stack_bottom: u32;
    static _stack_top: u32;
    static _model_start: u8;
    static _model_end: u8;
    static _request_start: u8;
    static _request_end: u8;
    static _heap_start: u8;
    static _heap_end: u8;
    static _psram_heap_start: u8;
    static _psram_heap_end: u8;
}

/// Output channels.
#[derive(Clone, Copy)]
pub enum Console {
    /// The answer's lines, and nothing else.
    Answer = 1,
    /// Messages for the harness: panics and the stack's use.
    Notes = 2,
}

/// Writes all the bytes.
pub fn write(console: Console, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the simulator reads `len` bytes from the pointer, which are the slice's, and writes nothing.
        let written = unsafe { bitstate_simcall(SYS_WRITE, console as usize, bytes.as_ptr().addr(), bytes.len()) };
        match usize::try_from(written) {
            Ok(count) if count > 0 => bytes = bytes.get(count..).unwrap_or(&[]),
            // The other side is gone: it sees a truncated answer.
            _ => return,
        }
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(*self, text.as_bytes());
        Ok(())
    }
}

/// Ends the simulation.
pub fn exit(status: Status) -> ! {
    loop {
        // SAFETY: the call takes no pointer and does not return.
        unsafe { bitstate_simcall(SYS_EXIT, status as usize, 0, 0) };
    }
}

/// The cycle counter as 64 bits: it wraps every 2^32 ticks, and each reading detects at most one wrap.
pub struct Clock {
    last: u32,
    ticks: u64,
}

impl Clock {
    /// A clock that starts at 0.
    pub fn start() -> Self {
        Clock { last: bitstate_ccount(), ticks: 0 }
    }

    /// Instructions since the start, in steps of [`INSTRUCTIONS_PER_TICK`].
    pub fn instructions(&mut self) -> u64 {
        let now = bitstate_ccount();
        self.ticks += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.ticks * INSTRUCTIONS_PER_TICK
    }
}

/// The bytes from one symbol to another.
///
/// # Safety
/// The symbols bound one range of initialised memory that nothing writes to.
unsafe fn between(start: *const u8, end: *const u8) -> &'static [u8] {
    // SAFETY: the caller guarantees the range; the linker never assigns it the address 0, where the stack is.
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

/// The memory for the heap, the near one first: the first byte and the length of each.
pub fn heap_regions() -> [(*mut u8, usize); 2] {
    let region = |start: *const u8, end: *const u8| (start.cast_mut(), end.addr() - start.addr());
    [
        region(&raw const _heap_start, &raw const _heap_end),
        region(&raw const _psram_heap_start, &raw const _psram_heap_end),
    ]
}

/// Bytes of SRAM used by code, constants and variables.
pub fn static_bytes() -> usize {
    (&raw const _heap_start).addr() - (&raw const _stack_top).addr()
}

/// Peak stack use in bytes so far.
pub fn stack_high_water() -> usize {
    let top = (&raw const _stack_top).addr();
    let mut at = &raw const _stack_bottom;
    // SAFETY: the words between the two symbols are the stack's. Those below the deepest call were written only by
    // start-up; volatile, because the compiler assumes that unused stack is not memory.
    while at.addr() < top && unsafe { at.read_volatile() } == STACK_PAINT {
        at = at.wrapping_add(1);
    }
    top - at.addr()
}
