//! The firmware: the suite on an Xtensa core with the memory of an ESP32-S3.
//!
//! The model and the request are linked in as blobs; the answer is written by semihosting to descriptor 1, and the
//! stack's high-water mark to descriptor 2. `README.md` has the memory map and the build. On any other architecture
//! this crate is empty, so that the whole workspace can be checked.
#![cfg_attr(target_arch = "xtensa", no_std)]

#[cfg(target_arch = "xtensa")]
mod machine;

#[cfg(target_arch = "xtensa")]
mod firmware {
    use crate::machine::Core;
    use bitstate_runner_bare::{Machine, Notes, Status, panicked, run};
    use core::fmt::Write;
    use core::panic::PanicInfo;

    /// Called by start-up once there is a stack; the result is the exit status.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_main() -> Status {
        run(Core::start())
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        panicked::<Core>(info)
    }

    /// Called by the exception vectors: the firmware never raises one on purpose, so the run is over.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_exception(cause: u32, at: u32, address: u32) -> ! {
        let _ = writeln!(Notes::<Core>::new(), "exception {cause} at {at:#010x}, address {address:#010x}");
        Core::exit(Status::Trapped)
    }
}
