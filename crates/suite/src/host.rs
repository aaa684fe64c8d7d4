//! What a target gives the suite.

/// What the heap has been asked for so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeapUse {
    /// Number of allocations since the program started.
    pub allocations: u64,
    /// Most bytes in use at once since the program started.
    pub peak_bytes: u64,
}

/// A way out for lines, a clock and a count of the heap.
pub trait Host {
    /// Name of the target: `native`, `wasm`, `xtensa`.
    fn target(&self) -> &str;
    /// Name and unit of what [`ticks`](Host::ticks) counts: `("time", "ns")`, `("instructions", "instructions")`.
    fn tick_metric(&self) -> (&'static str, &'static str);
    /// The clock: monotonic, in that unit.
    fn ticks(&mut self) -> u64;
    /// The heap so far.
    fn heap(&mut self) -> HeapUse;
    /// Takes one line of the answer, newline included.
    fn line(&mut self, line: &str);
}
