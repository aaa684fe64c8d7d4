//! The firmware of an ESP32-S3 board: takes prompts on UART0 or USB-Serial-JTAG, and generates text with the model in
//! flash; `:records` answers lines. `:test` runs the suite, as on every other target, and prints its answer.
//!
//! `README.md` has the memory map, the commands, and what was checked without a board. On any other architecture only
//! [`console`] is built, so that its tests run on a host.
#![no_std]

#[cfg(target_arch = "xtensa")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod console;

#[cfg(target_arch = "xtensa")]
mod machine;
#[cfg(target_arch = "xtensa")]
mod prompt;
#[cfg(target_arch = "xtensa")]
mod records;
#[cfg(target_arch = "xtensa")]
mod serial;

#[cfg(target_arch = "xtensa")]
mod firmware {
    use crate::console::{Command, HELP, LineBuffer};
    use crate::machine::Core;
    use crate::prompt::{Settings, generate};
    use crate::records::answer_records;
    use crate::serial;
    use bitstate_model::Model;
    use bitstate_runner_bare::{Machine, Notes, Status, memory, panicked, run};
    use core::fmt::Write;
    use core::panic::PanicInfo;

    /// Called by start-up once there is a stack.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_main() -> ! {
        let mut out = Notes::<Core>::new();
        greet(&mut out);
        let mut settings = Settings::default();
        let mut line = LineBuffer::new();
        loop {
            let _ = write!(out, "> ");
            match Command::parse(serial::read_line(&mut line).bytes) {
                Command::Records => or_say(answer_records(&mut line, &mut out), &mut out),
                command => obey(command, &mut settings, &mut out),
            }
        }
    }

    /// Names the firmware and its model; without a valid model there is nothing to do.
    fn greet(out: &mut Notes<Core>) {
        let _ = writeln!(out, "\nBitState {} on an ESP32-S3", env!("CARGO_PKG_VERSION"));
        match Model::parse(memory::model()) {
            Ok(model) => {
                let config = model.config;
                let (dim, layers, vocabulary) = (config.n_embd, config.n_layer, config.vocab_size);
                let bytes = memory::model().len();
                let _ = writeln!(out, "model: {bytes} bytes, {layers} layers of {dim}, {vocabulary} tokens; :help");
            }
            Err(error) => {
                let _ = writeln!(out, "the model file is not valid: {error}");
                Core::exit(Status::Failed)
            }
        }
    }

    fn obey(command: Command<'_>, settings: &mut Settings, out: &mut Notes<Core>) {
        match command {
            // Records are not here; text is what is generated anyway.
            Command::Nothing | Command::Records | Command::Text => {}
            Command::Help => serial::write(HELP.as_bytes()),
            Command::Greedy => settings.seed = None,
            Command::Seed(seed) => settings.seed = Some(seed),
            Command::Tokens(tokens) => settings.tokens = tokens,
            Command::Test => {
                let status = run(Core::start());
                let _ = writeln!(out, "status={}", status as u32);
            }
            Command::Prompt(prompt) => or_say(generate(prompt, settings, out), out),
            Command::Unknown => {
                let _ = writeln!(out, "not a command of this firmware: :help lists them");
            }
        }
    }

    fn or_say(result: Result<(), alloc::string::String>, out: &mut Notes<Core>) {
        if let Err(error) = result {
            let _ = writeln!(out, "{error}");
        }
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        panicked::<Core>(info)
    }

    /// Called by the exception vectors: the firmware never raises one on purpose.
    #[unsafe(no_mangle)]
    extern "C" fn bitstate_exception(cause: u32, at: u32, address: u32) -> ! {
        let _ = writeln!(Notes::<Core>::new(), "exception {cause} at {at:#010x}, address {address:#010x}");
        Core::exit(Status::Trapped)
    }
}
