//! The heap: the rest of the SRAM, and the rest of the PSRAM for requests that do not fit there, such as the state of a
//! wide model. First fit, every request counted.

use crate::machine;
use bitstate_suite::HeapUse;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;

/// The heap of the firmware.
#[global_allocator]
pub static HEAP: CountedHeap =
    CountedHeap(UnsafeCell::new(Inner { heaps: None, used: HeapUse { allocations: 0, bytes: 0, peak_bytes: 0 } }));

/// A first-fit heap with counters in plain integers: the core is built without atomic operations.
pub struct CountedHeap(UnsafeCell<Inner>);

struct Inner {
    /// In SRAM and in PSRAM; created at the first request.
    heaps: Option<[Heap; 2]>,
    used: HeapUse,
}

// SAFETY: the firmware has one core and one thread, and nothing runs in interrupts.
unsafe impl Sync for CountedHeap {}

impl CountedHeap {
    /// Counters so far, in requested bytes.
    pub fn used(&self) -> HeapUse {
        // SAFETY: no other reference exists: the methods below return none.
        unsafe { (*self.0.get()).used }
    }
}

// SAFETY: blocks come from a `Heap` over memory that nothing else uses, and go back to it with their layout.
unsafe impl GlobalAlloc for CountedHeap {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no method of `Heap` calls back, so this is the only reference while it lives.
        let Inner { heaps, used } = unsafe { &mut *self.0.get() };
        let [sram, psram] = heaps.get_or_insert_with(|| {
            // SAFETY: the linker script reserves each region for its heap, and it is passed on once.
            machine::heap_regions().map(|(start, length)| unsafe { Heap::new(start, length) })
        });
        let block = sram.allocate_first_fit(layout).or_else(|()| psram.allocate_first_fit(layout));
        let Ok(block) = block else { return ptr::null_mut() };
        used.allocations += 1;
        used.bytes += layout.size() as u64;
        used.peak_bytes = used.peak_bytes.max(used.bytes);
        block.as_ptr()
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let Inner { heaps, used } = unsafe { &mut *self.0.get() };
        let (Some([sram, psram]), Some(block)) = (heaps, NonNull::new(block)) else { return };
        let heap = if (sram.bottom()..sram.top()).contains(&block.as_ptr()) { sram } else { psram };
        // SAFETY: the caller guarantees that the block came from `alloc` with this layout, and it is in this heap.
        unsafe { heap.deallocate(block, layout) };
        used.bytes -= layout.size() as u64;
    }
}
