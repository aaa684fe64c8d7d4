//! The firmware of an ESP32-S3 board: the console of `bitstate-runner-console` on UART0 and USB-Serial-JTAG, with the model
//! in flash.
//!
//! `README.md` has the memory map, the commands, and what was checked without a board. On any other architecture this crate
//! is empty, so that the whole workspace can be checked.
#![no_std]

#[cfg(target_arch = "xtensa")]
mod serial;

#[cfg(target_arch = "xtensa")]
mod firmware {
    use crate::serial;
    use bitstate_runner_bare::{Machine, Notes, Status, memory, panicked, run};
    use bitstate_runner_console::{Board, Core, talk};
    use core::fmt::Write;
    use core::panic::PanicInfo;

    unsafe extern "C" {
        /// Reads the cycle counter (`start.S` of the emulated core's firmware).
        safe fn bitstate_ccount() -> u32;
    }

    /// The board. Start-up sets up its clock and its serial ports.
    struct Esp32s3;

    impl Board for Esp32s3 {
        const TARGET: &'static str = "esp32s3";
        const NAME: &'static str = "an ESP32-S3";
        /// As start-up sets it (`start.S`).
        const HZ: u64 = 240_000_000;

        fn read() -> Option<u8> {
            serial::read()
        }

        fn write(bytes: &[u8]) {
            serial::write(bytes);
        }

        fn cycles() -> u32 {
            bitstate_ccount()
        }
    }

    /// Called by start-up once there is a stack.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_main() -> ! {
        talk::<Esp32s3>(memory::model(), run)
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        panicked::<Core<Esp32s3>>(info)
    }

    /// Called by the exception vectors: the firmware never raises one on purpose.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_exception(cause: u32, at: u32, address: u32) -> ! {
        let mut notes = Notes::<Core<Esp32s3>>::new();
        let _ = writeln!(notes, "exception {cause} at {at:#010x}, address {address:#010x}");
        Core::<Esp32s3>::exit(Status::Trapped)
    }
}
