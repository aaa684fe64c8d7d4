//! The core under the firmware: its cycle counter, and its serial ports.

use crate::serial;
use bitstate_runner_bare::{Console, Machine, Notes, Status};
use core::fmt::Write;

unsafe extern "C" {
    /// Reads the cycle counter (`start.S` of the emulated core's firmware).
    safe fn bitstate_ccount() -> u32;
}

/// The core, with its cycle counter as 64 bits: it wraps every 18 seconds at 240 MHz, and each reading detects at most one
/// wrap.
pub struct Core {
    last: u32,
    cycles: u64,
}

impl Core {
    /// A core whose clock starts at 0.
    pub fn start() -> Self {
        Core { last: bitstate_ccount(), cycles: 0 }
    }

    /// Cycles since the start.
    pub fn cycles(&mut self) -> u64 {
        let now = bitstate_ccount();
        self.cycles += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.cycles
    }
}

impl Machine for Core {
    const TARGET: &'static str = "esp32s3";
    /// The heap has no second region for what copies would leave no room for.
    const NEAR_RESERVE: Option<usize> = None;
    const TICKS: &'static str = "cycles";

    fn ticks(&mut self) -> u64 {
        self.cycles()
    }

    fn write(_: Console, bytes: &[u8]) -> usize {
        serial::write(bytes);
        bytes.len()
    }

    /// Nothing is there to return to.
    fn exit(status: Status) -> ! {
        let _ = writeln!(Notes::<Core>::new(), "halted with status={}; reset the board", status as u32);
        loop {
            core::hint::spin_loop();
        }
    }
}
