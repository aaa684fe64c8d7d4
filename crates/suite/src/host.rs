//! The interface of a target to the suite.

/// Statistics of the heap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeapUse {
    /// Number of allocations since the program started.
    pub allocations: u64,
    /// Bytes in use now.
    pub bytes: u64,
    /// Most bytes in use at once since the program started.
    pub peak_bytes: u64,
}

/// Heap statistics, updated by an allocator.
#[cfg(target_has_atomic = "ptr")]
#[derive(Debug, Default)]
pub struct HeapCounter {
    allocations: core::sync::atomic::AtomicUsize,
    bytes: core::sync::atomic::AtomicUsize,
    peak_bytes: core::sync::atomic::AtomicUsize,
}

#[cfg(target_has_atomic = "ptr")]
impl HeapCounter {
    /// The statistics of an unused heap.
    pub const fn new() -> Self {
        use core::sync::atomic::AtomicUsize;
        HeapCounter { allocations: AtomicUsize::new(0), bytes: AtomicUsize::new(0), peak_bytes: AtomicUsize::new(0) }
    }

    /// Records an allocation of `size` bytes.
    pub fn allocated(&self, size: usize) {
        use core::sync::atomic::Ordering::Relaxed;
        self.allocations.fetch_add(1, Relaxed);
        let bytes = self.bytes.fetch_add(size, Relaxed) + size;
        self.peak_bytes.fetch_max(bytes, Relaxed);
    }

    /// Records a deallocation of `size` bytes.
    pub fn freed(&self, size: usize) {
        self.bytes.fetch_sub(size, core::sync::atomic::Ordering::Relaxed);
    }

    /// The current statistics.
    pub fn used(&self) -> HeapUse {
        let read = |count: &core::sync::atomic::AtomicUsize| count.load(core::sync::atomic::Ordering::Relaxed) as u64;
        HeapUse { allocations: read(&self.allocations), bytes: read(&self.bytes), peak_bytes: read(&self.peak_bytes) }
    }
}

/// Output of lines, a clock, and heap statistics.
pub trait Host {
    /// Name of the target: `native`, `wasm`, `xtensa`.
    fn target(&self) -> &str;
    /// Name and unit of [`ticks`](Host::ticks): `("time", "ns")`, `("instructions", "instructions")`.
    fn tick_metric(&self) -> (&'static str, &'static str);
    /// The clock: monotonic, in that unit.
    fn ticks(&mut self) -> u64;
    /// The heap statistics so far.
    fn heap(&mut self) -> HeapUse;
    /// Peak memory of the whole program so far, in bytes, if the target can measure it.
    fn peak_memory(&mut self) -> Option<u64> {
        None
    }
    /// Bytes of the heap into which weights are to be copied because the model is in slower memory.
    fn free_for_weights(&mut self) -> usize {
        0
    }
    /// Writes one line of the answer, including the newline.
    fn line(&mut self, line: &str);
}
