//! The prompt: text or token ids, as an argument, from standard input or from a file.

mod chunks;
mod feed;

use crate::recipe;
use anyhow::{Context, Result, anyhow};
use bitstate::Session;
use chunks::Chunks;
use clap::CommandFactory;
pub use feed::{Fed, Feeder};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most bytes of token ids to read.
const LIMIT: u64 = 64 << 20;
/// The name of standard input.
const DASH: &str = "-";

/// The flags that give the prompt.
#[derive(clap::Args)]
#[group(multiple = false)]
pub struct Prompt {
    /// Text to continue; it may start with a hyphen. `-` reads it from standard input, like --prompt-file from a file.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// UTF-8 file with the text to continue, of any length: memory does not grow with it. A byte order mark and the newline at
    /// its end are removed, CR LF becomes LF.
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    #[arg(long, value_name = "IDS", value_parser = ids, allow_negative_numbers = true, help = Ids::HELP)]
    tokens: Option<Ids>,
}

impl Prompt {
    /// Whether there is a prompt.
    pub fn is_given(&self) -> bool {
        self.prompt.is_some() || self.prompt_file.is_some() || self.tokens.is_some()
    }

    /// Whether it is text rather than token ids.
    pub fn is_text(&self) -> bool {
        self.prompt.is_some() || self.prompt_file.is_some()
    }

    /// Feeds it to a session and returns its description for the recipe; `None` if there is no prompt.
    pub fn feed(&self, session: &mut Session, parse_special: bool) -> Result<Option<recipe::Prompt>> {
        if let Some(ids) = &self.tokens {
            let tokens = ids.read()?;
            session.feed(&tokens)?;
            return Ok(Some(recipe::Prompt::Tokens(tokens)));
        }
        Ok(Some(match (&self.prompt, &self.prompt_file) {
            (Some(text), _) if text != DASH => recipe::Prompt::Text(feed_text(session, text, parse_special)?),
            (None, Some(path)) if path != Path::new(DASH) => {
                let what = || format!("cannot read the prompt {}", path.display());
                let fed = File::open(path).map_err(Into::into);
                let fed = fed.and_then(|file| feed(session, file, parse_special)).with_context(what)?;
                recipe::Prompt::of(fed, Some(path))
            }
            (None, None) => return Ok(None),
            _ => {
                let fed = feed(session, io::stdin().lock(), parse_special);
                recipe::Prompt::of(fed.context("cannot read the prompt from standard input")?, None)
            }
        }))
    }
}

/// Feeds a text unchanged.
pub fn feed_text(session: &mut Session, text: &str, parse_special: bool) -> Result<String> {
    let mut feeder = Feeder::new(session, parse_special)?;
    feeder.push(text)?;
    feeder.finish()?;
    Ok(text.to_string())
}

/// Feeds the text in a file.
pub fn feed(session: &mut Session, reader: impl Read, parse_special: bool) -> Result<Fed> {
    let mut feeder = Feeder::new(session, parse_special)?;
    let mut chunks = Chunks::new(reader);
    while let Some(piece) = chunks.next()? {
        feeder.push(&piece)?;
    }
    feeder.finish()
}

/// Token ids from an argument or standard input.
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
    let number = |id: &str| id.parse().map_err(|_| format!("`{id}` is not a token id: give whole numbers from 0 up"));
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
                let bytes = bitstate_files::read_from(io::stdin().lock(), LIMIT).context(WHAT)?;
                let text = String::from_utf8_lossy(&bytes);
                let ids = text.trim_start_matches('\u{feff}');
                let ids = ids.split(|c: char| c == ',' || c.is_whitespace()).filter(|id| !id.is_empty());
                parse(ids).map_err(|problem| anyhow!(problem)).context(WHAT)
            }
        }
    }
}

/// Joins a prompt that starts with a hyphen to its flag, as clap requires: `--prompt=-Hi`. A flag of the command stays a
/// flag; the prompt is then missing.
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
    fn ids_are_numbers_between_commas() {
        assert_eq!(ids("3,1,4"), Ok(Ids::Given(vec![3, 1, 4])));
        assert_eq!(ids("-"), Ok(Ids::Stdin));
        for wrong in ["", "1,,2", "1,", "-1", "1.5", "4294967296", "1, 2", "a"] {
            assert!(ids(wrong).unwrap_err().contains("is not a token id"), "{wrong}");
        }
    }
}
