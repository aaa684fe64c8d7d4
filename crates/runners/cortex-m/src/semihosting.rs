//! Arm's semihosting for 32 bits: `bkpt 0xab` with an operation and a block of arguments, served by the emulator.

use core::arch::asm;
use core::ffi::CStr;
use core::num::NonZeroUsize;

const SYS_OPEN: usize = 0x01;
const SYS_WRITE: usize = 0x05;
const SYS_READ: usize = 0x06;
const SYS_SEEK: usize = 0x0a;
const SYS_EXIT_EXTENDED: usize = 0x20;

/// The reason of [`SYS_EXIT_EXTENDED`] for a program that ended by itself.
const APPLICATION_EXIT: usize = 0x20026;

/// How a file is opened, as `fopen` names it. The terminal is standard output for [`Write`](Mode::Write), and standard
/// error for [`Append`](Mode::Append).
#[derive(Clone, Copy)]
pub enum Mode {
    /// `rb`
    Read = 1,
    /// `w`
    Write = 4,
    /// `a`
    Append = 8,
}

/// An open file of the emulating machine, until the program ends.
pub struct File(NonZeroUsize);

impl File {
    /// The name of the terminal.
    pub const TERMINAL: &CStr = c":tt";

    /// Opens a file.
    pub fn open(name: &CStr, mode: Mode) -> Option<Self> {
        let arguments = [name.as_ptr().addr(), mode as usize, name.count_bytes()];
        // SAFETY: the operation reads the name.
        let handle = unsafe { call(SYS_OPEN, &arguments) };
        // A failure is -1.
        if handle == usize::MAX { None } else { Self::from_handle(handle) }
    }

    /// The file of a handle of [`handle`](File::handle).
    pub fn from_handle(handle: usize) -> Option<Self> {
        NonZeroUsize::new(handle).map(File)
    }

    /// Its handle, which is not 0.
    pub fn handle(&self) -> usize {
        self.0.get()
    }

    /// Writes some of the bytes and returns how many.
    pub fn write(&self, bytes: &[u8]) -> usize {
        // SAFETY: the operation reads the bytes.
        let left = unsafe { call(SYS_WRITE, &[self.handle(), bytes.as_ptr().addr(), bytes.len()]) };
        bytes.len().saturating_sub(left)
    }

    /// Fills the buffer with the first bytes of the file, if it has so many.
    pub fn read_from_start(&self, buffer: &mut [u8]) -> bool {
        // SAFETY: the first operation takes no pointer, the second fills the buffer.
        unsafe {
            call(SYS_SEEK, &[self.handle(), 0]) == 0
                && call(SYS_READ, &[self.handle(), buffer.as_mut_ptr().addr(), buffer.len()]) == 0
        }
    }
}

/// Ends the program with an exit status.
pub fn exit(status: usize) -> ! {
    loop {
        // SAFETY: the operation takes no pointer.
        unsafe { call(SYS_EXIT_EXTENDED, &[APPLICATION_EXIT, status]) };
    }
}

/// Requests an operation.
///
/// # Safety
/// The arguments are those of the operation, and what they point to is valid for it.
unsafe fn call(operation: usize, arguments: &[usize]) -> usize {
    let result;
    // SAFETY: the caller guarantees the arguments. Without `nomem`, memory is written before the call and re-read after it.
    unsafe { asm!("bkpt 0xab", inout("r0") operation => result, in("r1") arguments.as_ptr(), options(nostack)) };
    result
}
