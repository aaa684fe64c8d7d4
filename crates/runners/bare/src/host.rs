//! The suite's view of a core, and the ends of a run.

use crate::heap::{CountedHeap, Refused};
use crate::machine::{Console, Machine, Notes, Status, write_all};
use crate::memory;
use bitstate_suite::{HeapUse, Host};
use core::fmt::Write;
use core::panic::PanicInfo;

/// The heap of the firmware.
#[global_allocator]
static HEAP: CountedHeap = CountedHeap::new(memory::heap_regions);

struct Board<M>(M);

impl<M: Machine> Host for Board<M> {
    fn target(&self) -> &str {
        M::TARGET
    }

    fn tick_metric(&self) -> (&'static str, &'static str) {
        (M::TICKS, M::TICKS)
    }

    fn ticks(&mut self) -> u64 {
        self.0.ticks()
    }

    fn heap(&mut self) -> HeapUse {
        HEAP.used()
    }

    fn peak_memory(&mut self) -> Option<u64> {
        let near = memory::static_bytes() + memory::stack_high_water();
        Some(near as u64 + HEAP.used().peak_bytes)
    }

    fn free_for_weights(&mut self) -> usize {
        M::NEAR_RESERVE.map_or(0, |reserve| HEAP.near_free().saturating_sub(reserve))
    }

    fn line(&mut self, line: &str) {
        write_all::<M>(Console::Answer, line.as_bytes());
    }
}

/// Runs the request on the model, both linked in, and returns the exit status. A stack without an unused word may have
/// overflowed, so nothing that was computed counts then.
pub fn run<M: Machine>(machine: M) -> Status {
    let Ok(request) = core::str::from_utf8(memory::request()) else {
        let _ = writeln!(Notes::<M>::new(), "the request is not UTF-8");
        return Status::Failed;
    };
    let status = match bitstate_suite::run(request, memory::model(), &mut Board(machine)) {
        Ok(true) => Status::Ok,
        Ok(false) => Status::Failed,
        Err(error) => {
            let _ = writeln!(Notes::<M>::new(), "{error}");
            Status::Failed
        }
    };
    let used = memory::stack_high_water();
    let _ = writeln!(Notes::<M>::new(), "stack_high_water={used}");
    // Some machines ignore accesses to addresses without memory, so an overflow may have raised no exception.
    if used == memory::stack_bytes() {
        let _ = writeln!(Notes::<M>::new(), "the stack of {used} bytes was too small");
        return Status::Trapped;
    }
    status
}

/// Ends a run that panicked. A heap that was too small panics too, but is a status of its own: the board is too small
/// for the model, and the firmware is not wrong.
pub fn panicked<M: Machine>(info: &PanicInfo<'_>) -> ! {
    let mut notes = Notes::<M>::new();
    if let Some(Refused { bytes, used, length }) = HEAP.refused() {
        let _ = writeln!(notes, "out_of_memory bytes={bytes} used={used} heap={length}");
        M::exit(Status::OutOfMemory)
    }
    let _ = writeln!(notes, "{info}");
    M::exit(Status::Panicked)
}
