//! What a board provides to the console.

use bitstate_runner_bare::{Console, Machine, Notes, Status};
use core::fmt::Write;
use core::marker::PhantomData;

/// A board with a serial port and a counter of cycles.
pub trait Board {
    /// Name of the target in answers.
    const TARGET: &'static str;
    /// The board, for people.
    const NAME: &'static str;
    /// How many cycles it counts in a second.
    const HZ: u64;

    /// Sets up what start-up has not. Called once, before the other functions.
    fn start() {}

    /// The next byte that was received, if any.
    fn read() -> Option<u8>;

    /// Sends bytes, `\n` as `\r\n`.
    fn write(bytes: &[u8]);

    /// A counter of cycles, which wraps at 32 bits.
    fn cycles() -> u32;
}

/// The core of a board, with its counter as 64 bits: each reading detects at most one wrap.
#[derive(Debug)]
pub struct Core<B> {
    board: PhantomData<B>,
    last: u32,
    cycles: u64,
}

impl<B: Board> Core<B> {
    /// A core whose clock starts at 0.
    pub fn start() -> Self {
        Core { board: PhantomData, last: B::cycles(), cycles: 0 }
    }

    /// Cycles since the start.
    pub fn cycles(&mut self) -> u64 {
        let now = B::cycles();
        self.cycles += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.cycles
    }
}

impl<B: Board> Machine for Core<B> {
    const TARGET: &'static str = B::TARGET;
    /// The heap has no second region for what copies would leave no room for.
    const NEAR_RESERVE: Option<usize> = None;
    const TICKS: &'static str = "cycles";

    fn ticks(&mut self) -> u64 {
        self.cycles()
    }

    fn write(_: Console, bytes: &[u8]) -> usize {
        B::write(bytes);
        bytes.len()
    }

    /// Nothing is there to return to.
    fn exit(status: Status) -> ! {
        let _ = writeln!(Notes::<Self>::new(), "halted with status={}; reset the board", status as u32);
        loop {
            core::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Core;
    use crate::fake::{self, Fake};

    #[test]
    fn a_counter_that_wraps_goes_on() {
        fake::set_cycles(u32::MAX - 9);
        let mut core = Core::<Fake>::start();
        fake::set_cycles(u32::MAX);
        assert_eq!(core.cycles(), 9);
        fake::set_cycles(0);
        assert_eq!(core.cycles(), 10);
        fake::set_cycles(u32::MAX - 9);
        assert_eq!(core.cycles(), 1 << 32);
    }
}
