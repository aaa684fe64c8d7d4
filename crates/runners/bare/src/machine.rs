//! What a core provides to the firmware.

use core::fmt;
use core::marker::PhantomData;

/// Exit statuses of the firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Every job succeeded.
    Ok = 0,
    /// A job failed, as the answer reports, or none could start, as the notes report.
    Failed = 1,
    /// The firmware panicked.
    Panicked = 101,
    /// The core raised an exception.
    Trapped = 102,
    /// The heap was too small, as the notes report.
    OutOfMemory = 103,
}

/// Output channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// The answer's lines, and nothing else.
    Answer = 1,
    /// Messages for the harness: panics, exceptions and the stack's use.
    Notes = 2,
}

/// A core that answers: by semihosting, where debugger or emulator do its input and output, or by a port of its own.
pub trait Machine {
    /// Name of the target in answers.
    const TARGET: &'static str;

    /// Bytes of the near heap to leave free when weights are copied there; none if the model is in memory as fast.
    const NEAR_RESERVE: Option<usize>;
    /// What [`ticks`](Machine::ticks) counts, as metric and unit.
    const TICKS: &'static str = "instructions";

    /// Instructions so far, or what [`TICKS`](Machine::TICKS) says.
    fn ticks(&mut self) -> u64;

    /// Writes some of the bytes and returns how many; 0 if nothing can be written.
    fn write(console: Console, bytes: &[u8]) -> usize;

    /// Ends the run.
    fn exit(status: Status) -> !;
}

/// Writes all the bytes. If the other side is gone, it sees a truncated answer.
pub fn write_all<M: Machine>(console: Console, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match M::write(console, bytes) {
            0 => return,
            count => bytes = bytes.get(count..).unwrap_or(&[]),
        }
    }
}

/// The channel for messages, as a writer.
pub struct Notes<M>(PhantomData<M>);

impl<M> Notes<M> {
    /// The channel.
    pub const fn new() -> Self {
        Notes(PhantomData)
    }
}

impl<M> Default for Notes<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Machine> fmt::Write for Notes<M> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_all::<M>(Console::Notes, text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;
    use std::cell::RefCell;
    use std::vec::Vec;

    std::thread_local! {
        static WRITTEN: RefCell<(Vec<u8>, usize)> = const { RefCell::new((Vec::new(), 0)) };
    }

    /// Takes three bytes at a time, and no more than a limit in all.
    struct Slow;

    impl Machine for Slow {
        const TARGET: &'static str = "slow";
        const NEAR_RESERVE: Option<usize> = None;

        fn ticks(&mut self) -> u64 {
            0
        }

        fn write(_: Console, bytes: &[u8]) -> usize {
            WRITTEN.with_borrow_mut(|(written, limit)| {
                let count = bytes.len().min(3).min(*limit - written.len());
                written.extend(&bytes[..count]);
                count
            })
        }

        fn exit(_: Status) -> ! {
            panic!("nothing exits here")
        }
    }

    fn written(limit: usize) -> Vec<u8> {
        WRITTEN.set((Vec::new(), limit));
        let _ = write!(Notes::<Slow>::new(), "stack={}", 1234);
        WRITTEN.take().0
    }

    #[test]
    fn partial_writes_are_continued_and_a_closed_channel_ends_them() {
        assert_eq!(written(100), b"stack=1234");
        assert_eq!(written(7), b"stack=1");
        assert_eq!(written(0), b"");
    }
}
