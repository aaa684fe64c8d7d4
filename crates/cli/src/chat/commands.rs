//! The commands of a chat.

use super::talk::{Talk, Why};
use crate::{numbers, output};
use anyhow::{Context, Result, anyhow, bail, ensure};
use bitstate::{Alternative, Sampling, Stop};
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

const HELP: &str = "\
/set NAME VALUE   change a setting: temperature, top_k, top_p, min_p, typical_p, penalty, repeat_penalty,
                  presence_penalty, frequency_penalty, repeat_last_n, seed, max_tokens, stop
/show             the settings and the position in the chat
/show text        the end of the text
/more             continue without a message
/undo             remove the last message and its answer
/regen            answer the last message again, with the next seed
/fork             start a second branch here; /fork N switches to branch N
/save FILE        save the session
/load FILE        continue a saved session
/why [N]          alternatives to the last N tokens
/clear            start over
/bye              leave, like Ctrl-D
\"\"\"               starts and ends a message of several lines";

/// Tokens that `/why` shows by default, and alternatives for each.
const WHY: usize = 3;
const ALTERNATIVES: usize = 5;

/// When answers end.
pub struct Settings {
    pub stop: Stop,
    pub max_tokens: u64,
}

/// A line that starts with a slash.
pub enum Command {
    Help,
    Set(String, String),
    Show,
    ShowText,
    More,
    Undo,
    Again,
    Fork(Option<usize>),
    Save(PathBuf),
    Load(PathBuf),
    Why(usize),
    Clear,
    Leave,
}

impl Command {
    /// The command of a line; `None` for a message.
    pub fn parse(line: &str) -> Result<Option<Self>> {
        let Some(command) = line.strip_prefix('/') else { return Ok(None) };
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let rest = rest.trim();
        let file = || {
            ensure!(!rest.is_empty(), "/{name} needs the name of a file");
            Ok(PathBuf::from(rest))
        };
        let number =
            || -> Result<usize> { rest.parse().map_err(|_| anyhow!("/{name} takes a whole number, not {rest:?}")) };
        let alone = |command| {
            ensure!(rest.is_empty(), "/{name} takes no argument, but got {rest:?}");
            Ok(command)
        };
        Ok(Some(match name {
            "?" | "help" => Command::Help,
            "set" => {
                // The form that ollama uses also works: /set parameter seed 42.
                let rest = rest.strip_prefix("parameter ").unwrap_or(rest).trim();
                let (name, value) = rest.split_once(char::is_whitespace).context("/set takes a name and a value")?;
                Command::Set(name.to_string(), value.trim().to_string())
            }
            "show" if rest == "text" => Command::ShowText,
            "show" => alone(Command::Show)?,
            "more" => alone(Command::More)?,
            "undo" => alone(Command::Undo)?,
            "regen" => alone(Command::Again)?,
            "fork" if rest.is_empty() => Command::Fork(None),
            "fork" => Command::Fork(Some(number()?)),
            "save" => Command::Save(file()?),
            "load" => Command::Load(file()?),
            "why" if rest.is_empty() => Command::Why(WHY),
            "why" => Command::Why(number()?),
            "clear" => alone(Command::Clear)?,
            "bye" | "exit" => alone(Command::Leave)?,
            name => {
                bail!(
                    "unknown command /{name}; /? lists the commands, and {} starts a message that begins with a slash",
                    super::QUOTES
                )
            }
        }))
    }

    /// Runs a command that produces no answer.
    pub fn run(self, talk: &mut Talk, settings: &mut Settings) -> Result<()> {
        match self {
            Command::Help => output::say(format_args!("{HELP}")),
            Command::Set(name, value) => set(talk, settings, &name, &value)?,
            Command::Show => show(talk, settings),
            Command::ShowText => writeln!(output::stdout(), "{}", talk.session().last_text().unwrap_or_default())?,
            Command::Undo => talk.undo()?,
            Command::Fork(None) => {
                talk.fork();
                output::say(format_args!("branch {}", talk.place().0));
            }
            Command::Fork(Some(number)) => talk.go_to(number)?,
            Command::Save(path) => {
                talk.save(&path)?;
                output::say(format_args!("saved {}", path.display()));
            }
            Command::Load(path) => {
                let session = talk.model().resume_file(&path)?;
                output::say(format_args!("{} has {} tokens", path.display(), session.position()));
                talk.load(session);
            }
            Command::Why(n) => why(talk, n)?,
            Command::Clear => {
                let sampling = talk.session().sampling().clone();
                let session = talk.model().session(sampling)?;
                talk.load(session);
            }
            Command::More | Command::Again | Command::Leave => {}
        }
        Ok(())
    }
}

fn set(talk: &mut Talk, settings: &mut Settings, name: &str, value: &str) -> Result<()> {
    let wrong = |problem: String| anyhow!("/set {name} {value}: {problem}");
    let number = |read: fn(&str) -> Result<f32, String>| read(value).map_err(wrong);
    let whole = |read: fn(&str) -> Result<u32, String>| read(value).map_err(wrong);
    let now = talk.session().sampling().clone();
    let sampling = match name {
        "temperature" => now.temperature(number(numbers::temperature)?),
        "top_k" => now.top_k(whole(numbers::count)?),
        "top_p" => now.top_p(number(numbers::share)?),
        "min_p" => now.min_p(number(numbers::share_or_none)?),
        "typical_p" => now.typical_p(number(numbers::share)?),
        "penalty" => now.penalty(number(numbers::penalty)?),
        "repeat_penalty" => now.repetition(number(numbers::factor)?),
        "presence_penalty" => now.presence(number(numbers::finite)?),
        "frequency_penalty" => now.frequency(number(numbers::finite)?),
        "repeat_last_n" => now.window(whole(numbers::window)?),
        "seed" => now.seed(numbers::seed(value).map_err(wrong)?),
        "max_tokens" | "num_predict" => {
            settings.max_tokens = whole(numbers::positive)?.into();
            return Ok(());
        }
        "stop" => {
            settings.stop = settings.stop.clone().text(value);
            return Ok(());
        }
        _ => bail!("unknown setting {name:?}; /? lists the settings"),
    };
    talk.set_sampling(sampling)
}

fn show(talk: &Talk, settings: &Settings) {
    let line = |name: &str, value: &dyn Display| output::say(format_args!("{name:>18}  {value}"));
    let Sampling { seed, temperature, top_k, top_p, min_p, typical_p, penalty, .. } = talk.session().sampling();
    let Sampling { repetition, presence, frequency, window, .. } = talk.session().sampling();
    let path = talk.model().path().map(|path| path.display().to_string()).unwrap_or_default();
    line("model", &path);
    line("variant", &talk.model().variant().name());
    let values: [(&str, &dyn Display); 12] = [
        ("seed", seed),
        ("temperature", temperature),
        ("top_k", top_k),
        ("top_p", top_p),
        ("min_p", min_p),
        ("typical_p", typical_p),
        ("penalty", penalty),
        ("repeat_penalty", repetition),
        ("presence_penalty", presence),
        ("frequency_penalty", frequency),
        ("repeat_last_n", window),
        ("max_tokens", &settings.max_tokens),
    ];
    values.iter().for_each(|(name, value)| line(name, value));
    let (branch, branches) = talk.place();
    line("branch", &format_args!("{branch} of {branches}"));
    line("text", &format_args!("{} tokens, {} turns to undo", talk.session().position(), talk.turns()));
}

fn why(talk: &Talk, n: usize) -> Result<()> {
    let tokenizer = talk.model().tokenizer().context("text needs a tokenizer")?;
    for Why { token, alternatives } in talk.why(n, ALTERNATIVES)? {
        let of = |token| format!("{:?}", tokenizer.decode(&[token]));
        let each = alternatives.iter();
        let each = each.map(|&Alternative { token, logprob }| format!("{} {:.1} %", of(token), logprob.exp() * 100.0));
        output::say(format_args!("{:>12}  {}", of(token), each.collect::<Vec<_>>().join(", ")));
    }
    Ok(())
}
