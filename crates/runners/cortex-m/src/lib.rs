//! The firmware: the suite on a Cortex-M core with floats, from the M4 to the M55.
//!
//! The model and the request are linked in as blobs; answer and messages are written by semihosting. With the feature
//! `serial` it is the console of `bitstate-runner-console` on a board's serial port, without semihosting. `README.md` has the
//! memory maps and the build. On any other architecture this crate is empty, so that the whole workspace can be checked.
#![cfg_attr(all(target_arch = "arm", target_os = "none"), no_std)]

#[cfg(all(target_arch = "arm", target_os = "none", feature = "serial"))]
mod console {
    use crate::mps2::Mps2;
    use bitstate_runner_bare::{memory, run};

    pub type Core = bitstate_runner_console::Core<Mps2>;

    pub fn main() -> ! {
        bitstate_runner_console::talk::<Mps2>(memory::model(), run)
    }
}
#[cfg(all(target_arch = "arm", target_os = "none", not(feature = "serial")))]
mod machine;
#[cfg(all(target_arch = "arm", target_os = "none", feature = "serial"))]
mod mps2;
#[cfg(all(target_arch = "arm", target_os = "none", not(feature = "serial")))]
mod semihosting;

#[cfg(all(target_arch = "arm", target_os = "none"))]
mod firmware {
    #[cfg(feature = "serial")]
    use crate::console::{Core, main};
    #[cfg(not(feature = "serial"))]
    use crate::machine::{Core, main};
    use bitstate_runner_bare::{Machine, Notes, Status, panicked};
    use core::fmt::Write;
    use core::panic::PanicInfo;

    // Vectors and start-up.
    core::arch::global_asm!(include_str!("../start.S"));

    /// Called by start-up once there is a stack.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_main() -> ! {
        main()
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        panicked::<Core>(info)
    }

    /// Called by the vectors with the number of the exception, the fault status register CFSR, the address of the
    /// instruction (0 if it could not be stored) and BFAR, the address of a failed access. The firmware never raises an
    /// exception on purpose, so the run is over.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_exception(number: u32, status: u32, at: u32, address: u32) -> ! {
        let mut notes = Notes::<Core>::new();
        let _ = writeln!(notes, "exception {number}, CFSR {status:#010x} at {at:#010x}, BFAR {address:#010x}");
        Core::exit(Status::Trapped)
    }
}
