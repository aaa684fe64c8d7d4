//! What is typed: lines with corrections, and the commands in them.

use crate::Board;

/// Longest line, in bytes.
pub const LINE: usize = 512;

/// The commands, for people.
pub const HELP: &str = "\
Type the beginning of a text, and the model continues it; Ctrl-C stops it. For a model whose tokens are not bytes, type
token ids, separated by spaces.
:seed N    draw the tokens with this seed (1 at first)
:greedy    always take the most likely token
:tokens N  how many tokens to generate (200 at first)
:records   answer each line by itself, as `bitstate map` does, until :text
:test      run the built-in checks and print their answer
:help      this
";

/// The effect of a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// None: the line is full, or the byte is a control character without a meaning here.
    Nothing,
    /// It is part of the line.
    Character,
    /// The last character was deleted.
    Erased,
    /// The line was discarded.
    Cancelled,
    /// The line is complete.
    Line,
}

/// A complete line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken<'a> {
    /// Its bytes, [`LINE`] at most.
    pub bytes: &'a [u8],
    /// More was typed.
    pub is_cut: bool,
}

/// A line while it is typed.
#[derive(Debug)]
pub struct LineBuffer {
    bytes: [u8; LINE],
    length: usize,
    /// The previous byte was a carriage return: a line feed after it is not another line.
    returned: bool,
    /// Bytes were left out because the line was full.
    is_cut: bool,
}

impl LineBuffer {
    /// An empty line.
    pub const fn new() -> Self {
        LineBuffer { bytes: [0; LINE], length: 0, returned: false, is_cut: false }
    }

    /// Adds a byte. Backspace and Delete remove a character of UTF-8, Ctrl-C and Ctrl-U the line.
    pub fn push(&mut self, byte: u8) -> Typed {
        let returned = core::mem::replace(&mut self.returned, byte == b'\r');
        match byte {
            b'\n' if returned => Typed::Nothing,
            b'\r' | b'\n' => Typed::Line,
            0x08 | 0x7f => self.erase(),
            0x03 | 0x15 => {
                (self.length, self.is_cut) = (0, false);
                Typed::Cancelled
            }
            0..0x20 => Typed::Nothing,
            _ => match self.bytes.get_mut(self.length) {
                Some(free) => {
                    *free = byte;
                    self.length += 1;
                    Typed::Character
                }
                None => {
                    self.is_cut = true;
                    Typed::Nothing
                }
            },
        }
    }

    /// The line so far; the next byte starts another.
    pub fn take(&mut self) -> Taken<'_> {
        let length = core::mem::take(&mut self.length);
        Taken { bytes: self.bytes.get(..length).unwrap_or(&[]), is_cut: core::mem::take(&mut self.is_cut) }
    }

    fn erase(&mut self) -> Typed {
        let line = self.bytes.get(..self.length).unwrap_or(&[]);
        let is_start = |byte: &u8| byte & 0xc0 != 0x80;
        match line.iter().rposition(is_start) {
            Some(start) => {
                self.length = start;
                Typed::Erased
            }
            None if self.length > 0 => {
                self.length = 0;
                Typed::Erased
            }
            None => Typed::Nothing,
        }
    }
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// The next line that is typed, with echo.
pub fn read_line<B: Board>(line: &mut LineBuffer) -> Taken<'_> {
    loop {
        let Some(byte) = B::read() else { continue };
        match line.push(byte) {
            Typed::Nothing => {}
            Typed::Character => B::write(&[byte]),
            Typed::Erased => B::write(b"\x08 \x08"),
            Typed::Cancelled => B::write(b"^C\n> "),
            Typed::Line => {
                B::write(b"\n");
                return line.take();
            }
        }
    }
}

/// A line's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// The line is empty.
    Nothing,
    /// List the commands.
    Help,
    /// Run the suite on the request that was linked in.
    Test,
    /// Take the most likely token.
    Greedy,
    /// Draw tokens with this seed.
    Seed(u64),
    /// The number of tokens to generate.
    Tokens(u32),
    /// Answer each line.
    Records,
    /// Continue texts again.
    Text,
    /// Continue this text.
    Prompt(&'a [u8]),
    /// A colon, and no command.
    Unknown,
}

impl<'a> Command<'a> {
    /// Parses a line; one that begins with a colon is a command.
    pub fn parse(line: &'a [u8]) -> Self {
        let Some(command) = line.strip_prefix(b":") else {
            return if line.is_empty() { Command::Nothing } else { Command::Prompt(line) };
        };
        let Ok(command) = core::str::from_utf8(command) else { return Command::Unknown };
        let mut words = command.split_ascii_whitespace();
        let known = match (words.next(), words.next()) {
            (Some("help"), None) => Some(Command::Help),
            (Some("test"), None) => Some(Command::Test),
            (Some("greedy"), None) => Some(Command::Greedy),
            (Some("records"), None) => Some(Command::Records),
            (Some("text"), None) => Some(Command::Text),
            (Some("seed"), Some(seed)) => seed.parse().ok().map(Command::Seed),
            (Some("tokens"), Some(tokens)) => tokens.parse().ok().map(Command::Tokens),
            _ => None,
        };
        known.filter(|_| words.next().is_none()).unwrap_or(Command::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// The lines of a text, and what each byte did.
    fn typed(text: &[u8]) -> (Vec<Vec<u8>>, Vec<Typed>) {
        let (mut line, mut lines) = (LineBuffer::new(), Vec::new());
        let mut effects = Vec::new();
        for &byte in text {
            effects.push(line.push(byte));
            if effects.last() == Some(&Typed::Line) {
                lines.push(line.take().bytes.to_vec());
            }
        }
        (lines, effects)
    }

    #[test]
    fn lines_end_with_either_character_or_with_both() {
        for text in [&b"Once\nupon\n"[..], b"Once\rupon\r", b"Once\r\nupon\r\n"] {
            assert_eq!(typed(text).0, [b"Once", b"upon"]);
        }
        assert_eq!(typed(b"\n\n").0.len(), 2);
    }

    #[test]
    fn a_character_is_deleted_whole_and_a_line_at_once() {
        assert_eq!(typed("Grü\u{8}un\u{7f}\n".as_bytes()).0, [b"Gru"]);
        assert_eq!(typed(b"\x08a\x08\x08b\n").0, [b"b"]);
        assert_eq!(typed(b"\xbc\x08c\n").0, [b"c"], "the end of a character alone");
        assert_eq!(typed(b"Once\x03upon\n").0, [b"upon"]);
        assert_eq!(typed(b"\x1b[A\x00\n").0, [b"[A"], "control characters are left out");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_off() {
        let (lines, effects) = typed(String::from_utf8(std::vec![b'a'; LINE + 9]).unwrap().as_bytes());
        assert!(lines.is_empty());
        assert_eq!(effects.iter().filter(|effect| **effect == Typed::Character).count(), LINE);
        assert_eq!(effects.last(), Some(&Typed::Nothing));
        let mut line = LineBuffer::new();
        for (typed, is_cut) in [(LINE + 1, true), (LINE, false), (0, false)] {
            for _ in 0..typed {
                line.push(b'a');
            }
            assert_eq!((line.take().is_cut, typed), (is_cut, typed));
        }
        for _ in 0..=LINE {
            line.push(b'a');
        }
        line.push(0x03);
        assert!(!line.take().is_cut, "another line");
    }

    #[test]
    fn what_begins_with_a_colon_is_a_command() {
        let of = |line: &'static str| Command::parse(line.as_bytes());
        assert_eq!(of(""), Command::Nothing);
        assert_eq!(of("Once"), Command::Prompt(b"Once"));
        assert_eq!(of(" "), Command::Prompt(b" "));
        assert_eq!(of(":test"), Command::Test);
        assert_eq!(of(":seed  7 "), Command::Seed(7));
        assert_eq!(of(":tokens 50"), Command::Tokens(50));
        assert_eq!((of(":greedy"), of(":help")), (Command::Greedy, Command::Help));
        assert_eq!((of(":records"), of(":text")), (Command::Records, Command::Text));
        for wrong in [":", ":seed", ":seed x", ":seed -1", ":tokens 5 6", ":tokens 5000000000", ":tests", ":test 1"] {
            assert_eq!(of(wrong), Command::Unknown, "{wrong}");
        }
        assert_eq!(Command::parse(b":\xff"), Command::Unknown);
        for command in HELP.lines().filter_map(|line| line.strip_prefix(':')?.split(' ').next()) {
            assert_ne!(
                Command::parse(std::format!(":{command} 1").as_bytes()),
                Command::parse(std::format!(":{command}").as_bytes())
            );
        }
    }
}
