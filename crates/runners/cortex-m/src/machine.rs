//! The core under the firmware: its channels and its clock are files of the machine that emulates it.

use crate::semihosting::{File, Mode, exit};
use bitstate_runner_bare::{Console, Machine, Status, run};
use core::ffi::CStr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The file of eight bytes in which the emulator counts instructions (`crates/runners/qemu-plugin`).
const COUNT: &CStr = c"instructions";

/// The core. Without a count, its clock stands still: then no request of this run is about numbers.
pub struct Core {
    count: Option<File>,
}

impl Core {
    /// The core, with the count open.
    pub fn start() -> Self {
        Core { count: File::open(COUNT, Mode::Read) }
    }
}

/// Runs the request.
pub fn main() -> ! {
    Core::exit(run(Core::start()))
}

impl Machine for Core {
    const TARGET: &'static str = "cortex-m";
    const NEAR_RESERVE: Option<usize> = None;

    fn ticks(&mut self) -> u64 {
        let mut count = [0; 8];
        match &self.count {
            Some(file) if file.read_from_start(&mut count) => u64::from_le_bytes(count),
            _ => 0,
        }
    }

    fn write(console: Console, bytes: &[u8]) -> usize {
        /// What `open` said about each channel; 0 before.
        static HANDLES: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
        let (handle, mode) = match console {
            Console::Answer => (&HANDLES[0], Mode::Write),
            Console::Notes => (&HANDLES[1], Mode::Append),
        };
        let file = File::from_handle(handle.load(Relaxed)).or_else(|| File::open(File::TERMINAL, mode));
        let Some(file) = file else { return 0 };
        handle.store(file.handle(), Relaxed);
        file.write(bytes)
    }

    fn exit(status: Status) -> ! {
        exit(status as usize)
    }
}
