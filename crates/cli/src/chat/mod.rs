//! `bitstate chat`: a chat with a model.

mod commands;
mod input;
mod talk;

use crate::interrupt::{self, INTERRUPTED};
use crate::load::ModelFlags;
use crate::recipe::End;
use crate::sampling::{SamplingFlags, StopFlags};
use crate::text::{TextFlags, explained};
use crate::{numbers, output};
use anyhow::{Context, Result, anyhow};
use bitstate::Stop;
use bitstate::text::Need;
use commands::{Command, Settings};
use input::{Input, Read};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use talk::Talk;

/// Delimiter of a message of several lines.
const QUOTES: &str = "\"\"\"";

/// Chat with a model: your message is appended to the text, and the model continues it.
///
/// On a terminal, `/?` lists the commands, Ctrl-C stops an answer and keeps its text, and Ctrl-D leaves. Without a terminal
/// it reads the same lines from standard input, and writes only the answers to standard output, each followed by a newline;
/// it exits on the first error.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    text: TextFlags,
    /// Resume the session in this file.
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// Maximum number of tokens in an answer.
    #[arg(long, value_name = "N", default_value = "256", value_parser = numbers::positive, allow_negative_numbers = true)]
    max_tokens: u32,
    #[command(flatten)]
    stop: StopFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
}

pub fn run(flags: &Flags) -> Result<ExitCode> {
    let model = flags.model.open_for(&flags.text, Need::Text, 1).map_err(explained)?;
    let mut session = match &flags.session {
        None => model.session(flags.sampling.fresh(&model)?)?,
        Some(path) => model.resume_file(path)?,
    };
    if flags.session.is_some() && flags.sampling.any() {
        session.set_sampling(flags.sampling.change(&model, session.sampling())?)?;
    }
    let stop = flags.stop.stop(&model)?;
    interrupt::listen()?;
    let mut input = Input::open()?;
    if input.is_terminal() {
        output::say(format_args!("/? lists the commands; Ctrl-D leaves"));
    }
    let settings = Settings { stop, max_tokens: flags.max_tokens.into() };
    let mut chat = Chat { talk: Talk::new(session), settings };
    loop {
        let line = match input.line(">>> ")? {
            Read::Line(line) => line,
            Read::End => return Ok(ExitCode::SUCCESS),
            Read::Interrupt => {
                output::say(format_args!("Ctrl-D or /bye leaves"));
                continue;
            }
        };
        let done = message(&mut input, line).and_then(|message| chat.take(&message));
        match done {
            Ok(Next::Go) => {}
            Ok(Next::Leave) => return Ok(ExitCode::SUCCESS),
            Ok(Next::Interrupted) if input.is_terminal() => {}
            Ok(Next::Interrupted) => return Ok(ExitCode::from(INTERRUPTED)),
            Err(error) if input.is_terminal() => output::say(format_args!("error: {error:#}")),
            Err(error) if output::reader_went_away(&error) => return Err(error),
            Err(error) => return Err(anyhow!("{}{error:#}", input.place())),
        }
    }
}

/// The message that starts with `line`: one line, or, if it starts with quotes, all lines up to the closing quotes. A quoted
/// message is never a command.
fn message(input: &mut Input, line: String) -> Result<Message> {
    let Some(first) = line.strip_prefix(QUOTES) else { return Ok(Message { text: line, quoted: false }) };
    let mut text = first.to_string();
    loop {
        if let Some(whole) = text.strip_suffix(QUOTES) {
            // Newlines next to the quotes are not part of the message.
            let text = whole.strip_prefix('\n').unwrap_or(whole);
            return Ok(Message { text: text.strip_suffix('\n').unwrap_or(text).to_string(), quoted: true });
        }
        match input.line("... ")? {
            Read::Line(line) => {
                text.push('\n');
                text.push_str(&line);
            }
            Read::Interrupt => return Ok(Message { text: String::new(), quoted: true }),
            Read::End => return Err(anyhow!("a message that starts with {QUOTES} must end with {QUOTES}")),
        }
    }
}

/// What was written.
struct Message {
    text: String,
    quoted: bool,
}

/// What to do after a line.
enum Next {
    Go,
    Leave,
    Interrupted,
}

struct Chat {
    talk: Talk,
    settings: Settings,
}

impl Chat {
    /// Executes a line.
    fn take(&mut self, message: &Message) -> Result<Next> {
        if message.text.trim().is_empty() {
            return Ok(Next::Go);
        }
        let command = if message.quoted { None } else { Command::parse(&message.text)? };
        match command {
            None => self.answer(|talk, stop, show| talk.say(&message.text, stop, show)),
            Some(Command::More) => self.answer(|talk, stop, show| talk.say("", stop, show)),
            Some(Command::Again) => self.answer(|talk, stop, show| talk.again(stop, show)),
            Some(Command::Leave) => Ok(Next::Leave),
            Some(command) => command.run(&mut self.talk, &mut self.settings).map(|()| Next::Go),
        }
    }

    fn answer(
        &mut self,
        run: impl FnOnce(&mut Talk, Stop, &mut dyn FnMut(&str) -> Result<()>) -> Result<End>,
    ) -> Result<Next> {
        let stop = self.settings.stop.clone().max_tokens(self.settings.max_tokens);
        let mut out = output::stdout();
        let mut show = |text: &str| {
            write!(out, "{text}")?;
            Ok(out.flush()?)
        };
        let ended = interrupt::keep(|| run(&mut self.talk, stop, &mut show))?;
        writeln!(out).context("cannot write the end of the answer")?;
        Ok(if ended == End::Interrupted { Next::Interrupted } else { Next::Go })
    }
}
