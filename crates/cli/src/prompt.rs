//! What is to be continued: a text or token ids, as an argument, from standard input or from a file.

use anyhow::{Context, Result, anyhow};
use clap::CommandFactory;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Most that is read of a prompt, in bytes.
const LIMIT: u64 = 64 << 20;
/// What stands for standard input.
const DASH: &str = "-";

/// The flags that give the prompt.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Prompt {
    /// Text to continue; it may begin with a hyphen. `-` reads it from standard input, as --prompt-file does from a file.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// A file with the text to continue, UTF-8, at most 64 MiB. A byte order mark and the line end at its end are removed,
    /// CR LF becomes LF.
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    #[arg(long, value_name = "IDS", value_parser = ids, allow_negative_numbers = true, help = Ids::HELP)]
    tokens: Option<Ids>,
}

/// What was given.
pub enum Given {
    Text(String),
    Tokens(Vec<u32>),
}

impl Prompt {
    /// Whether it is text, and not token ids.
    pub fn is_text(&self) -> bool {
        self.tokens.is_none()
    }

    /// The prompt, from wherever it comes.
    pub fn read(&self) -> Result<Given> {
        if let Some(ids) = &self.tokens {
            return Ok(Given::Tokens(ids.read()?));
        }
        Ok(Given::Text(match (&self.prompt, &self.prompt_file) {
            (Some(text), _) if text != DASH => text.clone(),
            (None, Some(path)) if path != Path::new(DASH) => text(bitstate_files::read(path, LIMIT))
                .with_context(|| format!("cannot read the prompt {}", path.display()))?,
            _ => text(read_stdin()).context("cannot read the prompt from standard input")?,
        }))
    }
}

fn read_stdin() -> io::Result<Vec<u8>> {
    bitstate_files::read_from(io::stdin().lock(), LIMIT)
}

/// The text of a file, as [`read_stories`](bitstate::tokenizer::read_stories) takes it, and without the line end that
/// editors and `echo` put at its end.
fn text(bytes: io::Result<Vec<u8>>) -> Result<String> {
    let text = String::from_utf8(bytes?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow!("not UTF-8: the first wrong byte is number {at}; convert it first, for example with iconv")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
    Ok(text.strip_suffix('\n').map(str::to_string).unwrap_or(text))
}

/// Token ids of an argument or of standard input.
#[derive(Debug, Clone, PartialEq)]
pub enum Ids {
    Given(Vec<u32>),
    Stdin,
}

/// The value of `--tokens`.
pub fn ids(text: &str) -> Result<Ids, String> {
    if text == DASH { Ok(Ids::Stdin) } else { parse(text.split(',')).map(Ids::Given) }
}

fn parse<'a>(ids: impl Iterator<Item = &'a str>) -> Result<Vec<u32>, String> {
    let number = |id: &str| id.parse().map_err(|_| format!("`{id}` is no token id: give whole numbers from 0 on"));
    ids.map(number).collect()
}

impl Ids {
    /// The help of `--tokens`.
    pub const HELP: &str = "Token ids, separated by commas; `-` reads them from standard input, separated by commas or \
                            white space, at most 64 MiB";

    pub fn read(&self) -> Result<Vec<u32>> {
        const WHAT: &str = "cannot read --tokens from standard input";
        match self {
            Ids::Given(ids) => Ok(ids.clone()),
            Ids::Stdin => {
                let text = text(read_stdin()).context(WHAT)?;
                let ids = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|id| !id.is_empty());
                parse(ids).map_err(|problem| anyhow!(problem)).context(WHAT)
            }
        }
    }
}

/// Arguments in which a prompt that begins with a hyphen is joined to its flag, as clap wants it: `--prompt=-Hi`. What is a
/// flag of the command itself stays one: there the prompt is missing.
pub fn joined<C: CommandFactory>(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let command = C::command();
    let Some(generate) = arguments.get(1).and_then(|name| command.find_subcommand(name)) else { return arguments };
    let is_flag = |text: &str| {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        let is = |flag: &clap::Arg| {
            let long = flag.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long));
            long || flag.get_short().is_some_and(|short| name.strip_prefix('-').is_some_and(|n| n.chars().eq([short])))
        };
        generate.get_arguments().any(is) || ["--help", "-h", "--", DASH].contains(&text)
    };
    if !generate.get_arguments().any(|flag| flag.get_long() == Some("prompt")) {
        return arguments;
    }
    for at in (2..arguments.len().saturating_sub(1)).rev() {
        let text = arguments[at + 1].to_string_lossy();
        if arguments[at] == "--prompt" && text.starts_with('-') && !is_flag(&text) {
            let value = arguments.remove(at + 1);
            arguments[at].push("=");
            arguments[at].push(value);
        }
    }
    arguments
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_has_around_its_text_is_removed() {
        let of = |bytes: &[u8]| text(Ok(bytes.to_vec())).unwrap();
        assert_eq!(of(b"a\n"), "a");
        assert_eq!(of(b"a\r\n"), "a");
        assert_eq!(of(b"\xef\xbb\xbfa\r\nb\n\n"), "a\nb\n");
        assert_eq!((of(b""), of(b"\n"), of(b" a ")), ("".into(), "".into(), " a ".into()));
        assert!(text(Ok(b"ab\xff".to_vec())).unwrap_err().to_string().contains("number 2"));
    }

    #[test]
    fn ids_are_numbers_between_commas() {
        assert_eq!(ids("3,1,4"), Ok(Ids::Given(vec![3, 1, 4])));
        assert_eq!(ids("-"), Ok(Ids::Stdin));
        for wrong in ["", "1,,2", "1,", "-1", "1.5", "4294967296", "1, 2", "a"] {
            assert!(ids(wrong).unwrap_err().contains("is no token id"), "{wrong}");
        }
    }
}
