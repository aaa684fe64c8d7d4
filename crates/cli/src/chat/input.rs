//! Reads the lines of a chat: from a terminal or a script.

use anyhow::{Context, Result};
use rustyline::error::ReadlineError;
use rustyline::{Config, Editor};
use std::io::{self, BufRead, IsTerminal};

/// Where lines are read from.
pub enum Input {
    /// With a prompt and a history of lines.
    Terminal(Box<Editor<(), rustyline::history::MemHistory>>),
    /// Plain standard input; the number of the last line read.
    Script(u64),
}

/// What was read.
pub enum Read {
    Line(String),
    /// Ctrl-C instead of a line.
    Interrupt,
    /// Ctrl-D or the end of the script.
    End,
}

impl Input {
    /// A terminal if both standard input and output are terminals; otherwise a script.
    pub fn open() -> Result<Self> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Ok(Input::Script(0));
        }
        let config = Config::builder().auto_add_history(true).build();
        let editor = Editor::with_history(config, rustyline::history::MemHistory::new());
        Ok(Input::Terminal(Box::new(editor.context("cannot use this terminal; give the lines on standard input")?)))
    }

    pub fn is_terminal(&self) -> bool {
        matches!(self, Input::Terminal(_))
    }

    /// The next line, without its line ending.
    pub fn line(&mut self, prompt: &str) -> Result<Read> {
        match self {
            Input::Terminal(editor) => match editor.readline(prompt) {
                Ok(line) => Ok(Read::Line(line)),
                Err(ReadlineError::Interrupted) => Ok(Read::Interrupt),
                Err(ReadlineError::Eof) => Ok(Read::End),
                Err(error) => Err(error).context("cannot read from the terminal"),
            },
            Input::Script(number) => {
                let mut line = String::new();
                *number += 1;
                let read = io::stdin().lock().read_line(&mut line);
                if read.with_context(|| format!("cannot read line {number} of standard input"))? == 0 {
                    return Ok(Read::End);
                }
                let line = line.strip_suffix('\n').unwrap_or(&line);
                Ok(Read::Line(line.strip_suffix('\r').unwrap_or(line).to_string()))
            }
        }
    }

    /// The place of an error, as a prefix of its message.
    pub fn place(&self) -> String {
        match self {
            Input::Terminal(_) => String::new(),
            Input::Script(number) => format!("line {number} of standard input: "),
        }
    }
}
