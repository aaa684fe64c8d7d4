//! The firmware: the suite on an Xtensa core with the memory of an ESP32-S3.
//!
//! The model and the request are linked in as blobs; the answer is written by semihosting to descriptor 1, and the
//! stack's high-water mark to descriptor 2. `README.md` has the memory map and the build. On any other architecture
//! this crate is empty, so that the whole workspace can be checked.
#![cfg_attr(target_arch = "xtensa", no_std)]

#[cfg(target_arch = "xtensa")]
mod heap;
#[cfg(target_arch = "xtensa")]
mod machine;

#[cfg(target_arch = "xtensa")]
mod firmware {
    use crate::heap::HEAP;
    use crate::machine::{self, Console, Status};
    use bitstate_suite::{HeapUse, Host};
    use core::fmt::Write;
    use core::panic::PanicInfo;

    /// The suite's view of the machine.
    struct Board {
        clock: machine::Clock,
    }

    impl Host for Board {
        fn target(&self) -> &str {
            "xtensa"
        }

        fn tick_metric(&self) -> (&'static str, &'static str) {
            ("instructions", "instructions")
        }

        fn ticks(&mut self) -> u64 {
            self.clock.instructions()
        }

        fn heap(&mut self) -> HeapUse {
            HEAP.used()
        }

        fn peak_memory(&mut self) -> Option<u64> {
            let sram = machine::static_bytes() + machine::stack_high_water();
            Some(sram as u64 + HEAP.used().peak_bytes)
        }

        fn line(&mut self, line: &str) {
            machine::write(Console::Answer, line.as_bytes());
        }
    }

    /// Called by start-up once there is a stack; the result is the exit status.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_main() -> Status {
        let mut board = Board { clock: machine::Clock::start() };
        let Ok(request) = core::str::from_utf8(machine::request()) else {
            let _ = writeln!(Console::Notes, "the request is not UTF-8");
            return Status::Failed;
        };
        let status = match bitstate_suite::run(request, machine::model(), &mut board) {
            Ok(true) => Status::Ok,
            Ok(false) => Status::Failed,
            Err(error) => {
                let _ = writeln!(Console::Notes, "{error}");
                Status::Failed
            }
        };
        let _ = writeln!(Console::Notes, "stack_high_water={}", machine::stack_high_water());
        status
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        let _ = writeln!(Console::Notes, "{info}");
        machine::exit(Status::Panicked)
    }

    /// Called by the exception vectors: the firmware never raises one on purpose, so the run is over.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_exception(cause: u32, at: u32, address: u32) -> ! {
        let _ = writeln!(Console::Notes, "exception {cause} at {at:#010x}, address {address:#010x}");
        machine::exit(Status::Trapped)
    }
}
