//! The console of a board: takes lines on a serial port and generates text with the model that was linked in; `:records`
//! answers lines, `:test` runs the suite as on every other target.
//!
//! A board's own crate has start-up and a linker script, implements [`Board`] and calls [`talk`]. Nothing here depends on
//! the core, so the tests run on a host.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod board;
#[cfg(test)]
mod fake;
mod line;
mod prompt;
mod records;

pub use board::{Board, Core};

use bitstate_model::Model;
use bitstate_runner_bare::{Machine, Notes, Status};
use core::fmt::Write;
use line::{Command, HELP, LineBuffer, read_line};
use prompt::{Settings, generate};
use records::answer_records;

/// Obeys what is typed, forever. `test` runs the request that was linked in.
pub fn talk<B: Board>(model: &[u8], test: fn(Core<B>) -> Status) -> ! {
    B::start();
    let mut out = Notes::<Core<B>>::new();
    let _ = writeln!(out, "\nBitState {} on {}", env!("CARGO_PKG_VERSION"), B::NAME);
    let bytes = model.len();
    let model = match Model::parse(model) {
        Ok(model) => model,
        Err(error) => {
            let _ = writeln!(out, "the model file is not valid: {error}");
            Core::<B>::exit(Status::Failed)
        }
    };
    let (dim, layers, vocabulary) = (model.config.n_embd, model.config.n_layer, model.config.vocab_size);
    let _ = writeln!(out, "model: {bytes} bytes, {layers} layers of {dim}, {vocabulary} tokens; :help");
    let mut settings = Settings::default();
    let mut line = LineBuffer::new();
    loop {
        let _ = write!(out, "> ");
        let result = match Command::parse(read_line::<B>(&mut line).bytes) {
            // Text is what is generated anyway.
            Command::Nothing | Command::Text => Ok(()),
            Command::Records => answer_records::<B>(&model, &mut line),
            Command::Prompt(prompt) => generate::<B>(&model, prompt, &settings),
            Command::Help => write!(out, "{HELP}").or(Ok(())),
            Command::Greedy => {
                settings.seed = None;
                Ok(())
            }
            Command::Seed(seed) => {
                settings.seed = Some(seed);
                Ok(())
            }
            Command::Tokens(tokens) => {
                settings.tokens = tokens;
                Ok(())
            }
            Command::Test => {
                let status = test(Core::start());
                writeln!(out, "status={}", status as u32).or(Ok(()))
            }
            Command::Unknown => writeln!(out, "not a command of this firmware: :help lists them").or(Ok(())),
        };
        if let Err(error) = result {
            let _ = writeln!(out, "{error}");
        }
    }
}
