//! The guest's imports and exports.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use bitstate_model::AlignedBytes;
use bitstate_suite::{HeapCounter, HeapUse, Host};
use core::alloc::{GlobalAlloc, Layout};
use dlmalloc::GlobalDlmalloc;

#[link(wasm_import_module = "bitstate")]
unsafe extern "C" {
    /// The clock.
    safe fn ticks() -> u64;
    /// The unit of the clock: 0 nanoseconds, 1 fuel.
    safe fn tick_kind() -> u32;
    /// Receives `length` bytes of UTF-8 at `text`: a line of the answer (`kind` 0) or the reason why there is none (1).
    fn text(kind: u32, text: *const u8, length: usize);
}

/// The guest's allocator, with counters.
struct Counted(HeapCounter);

#[global_allocator]
static HEAP: Counted = Counted(HeapCounter::new());

// SAFETY: every block comes from the same allocator and goes back to it with its own layout.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.allocated(layout.size());
        // SAFETY: the caller upholds the contract, which is that allocator's.
        unsafe { GlobalDlmalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.0.freed(layout.size());
        // SAFETY: as above.
        unsafe { GlobalDlmalloc.dealloc(block, layout) }
    }
}

fn send(kind: u32, message: &str) {
    // SAFETY: the host reads these bytes before it returns, and only them.
    unsafe { text(kind, message.as_ptr(), message.len()) }
}

struct Guest;

impl Host for Guest {
    fn target(&self) -> &str {
        "wasm"
    }

    fn tick_metric(&self) -> (&'static str, &'static str) {
        if tick_kind() == 0 { ("time", "ns") } else { ("fuel", "fuel") }
    }

    fn ticks(&mut self) -> u64 {
        ticks()
    }

    fn heap(&mut self) -> HeapUse {
        HEAP.0.used()
    }

    /// Linear memory never shrinks, so its current size is its peak.
    fn peak_memory(&mut self) -> Option<u64> {
        const PAGE: u64 = 65_536;
        Some(core::arch::wasm32::memory_size(0) as u64 * PAGE)
    }

    fn line(&mut self, line: &str) {
        send(0, line);
    }
}

/// Reserves `length` bytes for the host to fill, aligned to a cache line and never freed. Returns their address.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    const LINE: usize = AlignedBytes::LINE;
    let room = Vec::leak(vec![0_u8; length + LINE - 1]);
    let start = room.as_ptr().align_offset(LINE).min(LINE - 1);
    room[start..].as_mut_ptr()
}

/// Runs the request on the model, each given by address and length, and returns a status.
///
/// # Safety
/// Both ranges were returned by [`reserve`] for these lengths and hold what the host wrote there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn run(request: *const u8, request_length: usize, model: *const u8, model_length: usize) -> u32 {
    // SAFETY: the caller guarantees it; nothing writes there while the slices live.
    let (request, model) = unsafe {
        (core::slice::from_raw_parts(request, request_length), core::slice::from_raw_parts(model, model_length))
    };
    let Ok(request) = core::str::from_utf8(request) else {
        send(1, "the request is not UTF-8");
        return 2;
    };
    match bitstate_suite::run(request, model, &mut Guest) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            send(1, &error.to_string());
            2
        }
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    send(1, &info.to_string());
    core::arch::wasm32::unreachable()
}
