//! The core under the firmware: QEMU's simulator calls and the cycle counter.

use bitstate_runner_bare::{Console, Machine, Status};

/// Instructions per tick of the cycle counter: QEMU under `-icount shift=0` runs one instruction per virtual
/// nanosecond, and this core's clock is 40 MHz.
const INSTRUCTIONS_PER_TICK: u64 = 25;

const SYS_EXIT: u32 = 1;
const SYS_WRITE: u32 = 4;

unsafe extern "C" {
    /// Requests a service of the simulator.
    fn bitstate_simcall(number: u32, a: usize, b: usize, c: usize) -> i32;
    /// Reads the cycle counter.
    safe fn bitstate_ccount() -> u32;
}

/// The core, with its cycle counter as 64 bits: it wraps every 2^32 ticks, and each reading detects at most one wrap.
pub struct Core {
    last: u32,
    ticks: u64,
}

impl Core {
    /// A core whose clock starts at 0.
    pub fn start() -> Self {
        Core { last: bitstate_ccount(), ticks: 0 }
    }
}

impl Machine for Core {
    const TARGET: &'static str = "xtensa";
    /// What the real part's caches take of its SRAM: 32 KB for data and 16 KB for code.
    const NEAR_RESERVE: Option<usize> = Some(48 << 10);

    /// In steps of [`INSTRUCTIONS_PER_TICK`].
    fn ticks(&mut self) -> u64 {
        let now = bitstate_ccount();
        self.ticks += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.ticks * INSTRUCTIONS_PER_TICK
    }

    fn write(console: Console, bytes: &[u8]) -> usize {
        // SAFETY: the simulator reads `len` bytes from the pointer, which are the slice's, and writes nothing.
        let written = unsafe { bitstate_simcall(SYS_WRITE, console as usize, bytes.as_ptr().addr(), bytes.len()) };
        usize::try_from(written).unwrap_or(0)
    }

    fn exit(status: Status) -> ! {
        loop {
            // SAFETY: the call takes no pointer and does not return.
            unsafe { bitstate_simcall(SYS_EXIT, status as usize, 0, 0) };
        }
    }
}
