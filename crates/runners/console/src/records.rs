//! Answers records: a line in, a line out, as `bitstate map` does.

use crate::line::{Command, LINE, LineBuffer, Taken, read_line};
use crate::prompt::BYTES;
use crate::{Board, Core};
use alloc::string::{String, ToString};
use bitstate_engine::{Engine, State};
use bitstate_generate::{Sampling, Session, SessionError};
use bitstate_kernels::Variant;
use bitstate_model::Model;
use bitstate_runner_bare::Notes;
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
pub fn answer_records<B: Board>(model: &Model, line: &mut LineBuffer) -> Result<(), String> {
    let mut out = Notes::<Core<B>>::new();
    if model.config.vocab_size != BYTES {
        return Err(String::from("records need a model whose tokens are bytes"));
    }
    let engine = Engine::new(model, Variant::best()).map_err(|error| error.to_string())?;
    let mut session = Session::new(&engine, Sampling::greedy()).map_err(|error| error.to_string())?;
    session.feed(&[END]).map_err(|error| error.to_string())?;
    let start = session.state().clone();
    let (mut answers, mut cycles) = (0u64, 0);
    loop {
        let _ = write!(out, "> ");
        let Taken { bytes, is_cut } = read_line::<B>(line);
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
        cycles += answer::<B>(&mut session, start.clone(), bytes).map_err(|error| error.to_string())?;
        answers += 1;
        B::write(b"\n");
    }
    let each = cycles / answers.max(1);
    let (ms, mhz) = (each * 1000 / B::HZ, B::HZ / 1_000_000);
    let _ = writeln!(out, "[{answers} answers, {each} cycles each: {ms} ms at {mhz} MHz]");
    Ok(())
}

/// Prints the likeliest answer, which ends with the text or the line. Returns the cycles that it took.
fn answer<B: Board>(session: &mut Session<'_, '_>, start: State, record: &[u8]) -> Result<u64, SessionError> {
    let mut core = Core::<B>::start();
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
            byte => B::write(&[byte]),
        }
        session.advance(token)?;
        core.cycles();
    }
    Ok(core.cycles())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake};
    use bitstate_model::AlignedBytes;
    use std::path::Path;

    fn model(name: &str) -> AlignedBytes {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../golden/models");
        AlignedBytes::read_model(models.join(name).join("model.bits")).expect("a golden model")
    }

    fn answers(model: &[u8], typed: &[u8]) -> Result<String, String> {
        fake::type_in(typed);
        let model = Model::parse(model).expect("a model");
        answer_records::<Fake>(&model, &mut LineBuffer::new()).map(|()| fake::shown())
    }

    #[test]
    fn bad_input_is_answered_and_the_next_line_is_not_affected() {
        let record = "12:05 P12 temp=81.4/75 vib=2.1/4.5";
        let long = "a".repeat(LINE);
        let mut typed = std::format!("{long}b\r").into_bytes();
        typed.extend(b"temp=\xff\r");
        // A record that is cut off, an empty line, and one that is corrected.
        typed.extend(std::format!("12:05 P12 temp=81.4/\r\r12:06\x03{record}\r:text\r").as_bytes());
        let shown = answers(&model("monitor"), &typed).expect("answers");
        let wanted = std::format!(
            "> {long}\nerror: more than {LINE} bytes\n> temp=\u{fffd}\nerror: not UTF-8\n\
             > 12:05 P12 temp=81.4/\nI cannot tell from these readings.\n> \n> 12:06^C\n> {record}\n\
             P12: 81.4 C, limit 75, too hot; 2.1 mm/s, limit 4.5, normal.\n> :text\n\
             [2 answers, 0 cycles each: 0 ms at 1 MHz]\n"
        );
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_model_whose_tokens_are_not_bytes_answers_no_records() {
        let refused = answers(&model("stories-bpe4k"), b"").expect_err("no answers");
        assert_eq!(refused, "records need a model whose tokens are bytes");
    }
}
