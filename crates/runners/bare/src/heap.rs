//! The heap: the rest of the near memory, and a second, far one for requests that do not fit there, such as the state
//! of a wide model. First fit, every request counted.

use bitstate_suite::HeapUse;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;

/// The first byte and the length of the near and of the far region; a region may be empty.
type Regions = fn() -> [(*mut u8, usize); 2];

/// A first-fit heap with counters in plain integers, for cores without atomic operations.
pub struct CountedHeap {
    regions: Regions,
    inner: UnsafeCell<Inner>,
}

struct Inner {
    /// The near and the far one; created at the first request.
    heaps: Option<[Heap; 2]>,
    used: HeapUse,
    refused: Option<Refused>,
}

/// A request that did not fit, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The request.
    pub bytes: u64,
    /// In use at that time.
    pub used: u64,
    /// Both regions.
    pub length: u64,
}

// SAFETY: firmware has one core and one thread, and nothing runs in interrupts.
unsafe impl Sync for CountedHeap {}

impl CountedHeap {
    /// A heap in regions that nothing else uses.
    pub const fn new(regions: Regions) -> Self {
        let used = HeapUse { allocations: 0, bytes: 0, peak_bytes: 0 };
        CountedHeap { regions, inner: UnsafeCell::new(Inner { heaps: None, used, refused: None }) }
    }

    /// Counters so far, in requested bytes.
    pub fn used(&self) -> HeapUse {
        // SAFETY: no other reference exists: the methods below return none.
        unsafe { (*self.inner.get()).used }
    }

    /// Free bytes of the near region, as they are after the first request.
    pub fn near_free(&self) -> usize {
        // SAFETY: as in `used`.
        unsafe { (*self.inner.get()).heaps.as_ref().map_or(0, |[near, _]| near.free()) }
    }

    /// The latest request that did not fit.
    pub fn refused(&self) -> Option<Refused> {
        // SAFETY: as in `used`.
        unsafe { (*self.inner.get()).refused }
    }
}

// SAFETY: blocks come from a `Heap` over memory that nothing else uses, and go back to it with their layout.
unsafe impl GlobalAlloc for CountedHeap {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no method of `Heap` calls back, so this is the only reference while it lives.
        let Inner { heaps, used, refused } = unsafe { &mut *self.inner.get() };
        let [near, far] = heaps.get_or_insert_with(|| {
            (self.regions)().map(|(start, length)| match length {
                0 => Heap::empty(),
                // SAFETY: each region is only this heap's, and is passed on once.
                _ => unsafe { Heap::new(start, length) },
            })
        });
        let block = near.allocate_first_fit(layout).or_else(|()| far.allocate_first_fit(layout));
        let Ok(block) = block else {
            let length = (near.size() + far.size()) as u64;
            *refused = Some(Refused { bytes: layout.size() as u64, used: used.bytes, length });
            return ptr::null_mut();
        };
        used.allocations += 1;
        used.bytes += layout.size() as u64;
        used.peak_bytes = used.peak_bytes.max(used.bytes);
        block.as_ptr()
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let Inner { heaps, used, .. } = unsafe { &mut *self.inner.get() };
        let (Some([near, far]), Some(block)) = (heaps, NonNull::new(block)) else { return };
        let heap = if (near.bottom()..near.top()).contains(&block.as_ptr()) { near } else { far };
        // SAFETY: the caller guarantees that the block came from `alloc` with this layout, and it is in this heap.
        unsafe { heap.deallocate(block, layout) };
        used.bytes -= layout.size() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    fn region(length: usize) -> (*mut u8, usize) {
        let words = Box::leak(std::vec![0u64; length / 8].into_boxed_slice());
        (words.as_mut_ptr().cast(), length)
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).unwrap()
    }

    #[test]
    fn what_does_not_fit_the_near_region_goes_to_the_far_one_and_back() {
        let heap = CountedHeap::new(|| [region(1024), region(4096)]);
        // SAFETY: each block goes back once, with its layout.
        unsafe {
            let small = heap.alloc(layout(512));
            let large = heap.alloc(layout(2048));
            assert!(!small.is_null() && !large.is_null());
            assert_eq!(heap.used(), HeapUse { allocations: 2, bytes: 2560, peak_bytes: 2560 });
            assert_eq!(heap.near_free(), 512);
            heap.dealloc(large, layout(2048));
            heap.dealloc(small, layout(512));
            assert_eq!(heap.used(), HeapUse { allocations: 2, bytes: 0, peak_bytes: 2560 });
            // Both are whole again.
            assert!(!heap.alloc(layout(4096)).is_null() && !heap.alloc(layout(1024)).is_null());
        }
        assert_eq!(heap.refused(), None);
    }

    #[test]
    fn a_request_that_fits_nowhere_is_refused_and_remembered() {
        let heap = CountedHeap::new(|| [region(1024), (ptr::null_mut(), 0)]);
        // SAFETY: nothing is given back.
        unsafe {
            assert!(!heap.alloc(layout(1000)).is_null());
            assert!(heap.alloc(layout(100)).is_null());
        }
        assert_eq!(heap.refused(), Some(Refused { bytes: 100, used: 1000, length: 1024 }));
        assert_eq!(heap.used().allocations, 1);
    }
}
