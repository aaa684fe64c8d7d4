//! Answers records: a line in, a line out, as `bitstate map` does.

use crate::console::{Command, LINE, LineBuffer, Taken};
use crate::machine::Core;
use crate::prompt::{BYTES, HZ};
use crate::serial;
use alloc::string::{String, ToString};
use bitstate_engine::{Engine, State};
use bitstate_generate::{Sampling, Session, SessionError};
use bitstate_kernels::Variant;
use bitstate_model::Model;
use bitstate_runner_bare::{Notes, memory};
use core::fmt::Write;

/// The token before and after a text.
const END: u32 = 0;
/// Most tokens of an answer.
const MOST: u32 = 128;

/// Answers each line by itself until `:text`, from the state after the start of a text, which is computed once. Then prints
/// what an answer took.
///
/// # Errors
/// The message.
pub fn answer_records(line: &mut LineBuffer, out: &mut Notes<Core>) -> Result<(), String> {
    let model = Model::parse(memory::model()).map_err(|error| error.to_string())?;
    if model.config.vocab_size != BYTES {
        return Err(String::from("records need a model whose tokens are bytes"));
    }
    let engine = Engine::new(&model, Variant::best()).map_err(|error| error.to_string())?;
    let mut session = Session::new(&engine, Sampling::greedy()).map_err(|error| error.to_string())?;
    session.feed(&[END]).map_err(|error| error.to_string())?;
    let start = session.state().clone();
    let (mut answers, mut cycles) = (0u64, 0);
    loop {
        let _ = write!(out, "> ");
        let Taken { bytes, is_cut } = serial::read_line(line);
        match Command::parse(bytes) {
            Command::Nothing => continue,
            Command::Text => break,
            _ => {}
        }
        if is_cut || core::str::from_utf8(bytes).is_err() {
            let _ = match is_cut {
                true => writeln!(out, "error: more than {LINE} bytes"),
                false => writeln!(out, "error: not UTF-8"),
            };
            continue;
        }
        cycles += answer(&mut session, start.clone(), bytes).map_err(|error| error.to_string())?;
        answers += 1;
        serial::write(b"\n");
    }
    let each = cycles / answers.max(1);
    let _ = writeln!(out, "[{answers} answers, {each} cycles each: {} ms at {} MHz]", each * 1000 / HZ, HZ / 1_000_000);
    Ok(())
}

/// Prints the likeliest answer, which ends with the text or the line. Returns the cycles that it took.
fn answer(session: &mut Session<'_, '_>, start: State, record: &[u8]) -> Result<u64, SessionError> {
    let mut core = Core::start();
    session.set_state(start);
    for &byte in record.iter().chain(b"\n") {
        session.feed(&[u32::from(byte)])?;
        // Each token, because the counter wraps.
        core.cycles();
    }
    for _ in 0..MOST {
        let token = session.choose()?;
        match token as u8 {
            0 | b'\n' => break,
            byte => serial::write(&[byte]),
        }
        session.advance(token)?;
        core.cycles();
    }
    Ok(core.cycles())
}
