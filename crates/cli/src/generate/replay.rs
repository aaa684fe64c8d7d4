//! `bitstate replay`: reproduces a text from its recipe.

use super::answer::answer;
use super::resume;
use crate::load::ModelFlags;
use crate::prompt::{feed, feed_text};
use crate::recipe::{End, Prompt, Recipe};
use crate::sampling::StopFlags;
use crate::text::{TextFlags, explained};
use crate::{load, output};
use anyhow::{Context, Result, bail, ensure};
use bitstate::text::Need;
use bitstate::{Model, Sampling, Session, Variant};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longest line to read, in bytes: enough for a prompt of many token ids.
const LIMIT: u64 = 64 << 20;

/// Reproduce a text from its recipe, and report whether it is the same.
///
/// A recipe is the last line that `generate` writes to standard error: the model and its SHA-256, the prompt, the seed, the
/// sampling parameters, and the generated tokens. The answer is `same`, or `differs at token 37`, counted from 1 after the
/// prompt, with exit code 1. Beyond 4,096 tokens a recipe contains only a digest of all tokens.
#[derive(clap::Args)]
pub struct Flags {
    /// The recipe; `-` reads it from standard input.
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    line: String,
    /// The model, if it is not where the recipe says.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name, help = load::variant_help())]
    variant: Option<Variant>,
    /// The session to resume, if it is not where the recipe says.
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// The prompt, if it is too long for a recipe and is not where the recipe says, or came from standard input.
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
}

pub fn run(flags: &Flags) -> Result<ExitCode> {
    let recipe = Recipe::parse(&flags.line()?)?;
    let named = recipe.stream.named().context("the recipe is damaged")?;
    let model = flags.open(&recipe)?;
    let mut session = flags.begin(&recipe, &model)?;

    let difference = difference(&recipe, &named, &mut session)?;
    let mut out = output::stdout();
    match difference {
        None => writeln!(out, "same")?,
        Some(Difference { at: None, .. }) => writeln!(out, "differs after token {}", named.len())?,
        Some(Difference { at: Some(at), was, is }) => {
            writeln!(out, "differs at token {}", at + 1)?;
            let show = |token: Option<u32>| token.map_or("the end".into(), |token| shown(&model, token));
            output::say(format_args!("expected {}, got {}", show(was), show(is)));
        }
    }
    Ok(if difference.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first difference between two texts.
#[derive(Clone, Copy)]
struct Difference {
    /// Index of the token, from 0; `None` if it is after those that the recipe names.
    at: Option<u64>,
    /// `None` if the text ended.
    was: Option<u32>,
    is: Option<u32>,
}

/// Reproduces the text up to the first difference.
fn difference(recipe: &Recipe, named: &[u32], session: &mut Session) -> Result<Option<Difference>> {
    let stream = &recipe.stream;
    let (stop, stop_token, ignore_end) = (recipe.stop.clone(), recipe.stop_token.clone(), recipe.ignore_end);
    // One more token if the text ended by itself: there must not be one now, either.
    let ends = matches!(stream.ended, End::Token | End::Stop);
    let stop =
        StopFlags { stop, stop_token, ignore_end }.stop(session.model())?.max_tokens(stream.count + u64::from(ends));
    let (mut at, mut found) = (0, None);
    let made = answer(session, stop, |token, _| {
        let was = named.get(at as usize).copied();
        if found.is_none() && (at >= stream.count || was.is_some_and(|was| was != token.id)) {
            found = Some(Difference { at: Some(at), was, is: Some(token.id) });
        }
        at += 1;
        Ok(())
    })?;
    if found.is_none() && made.taken.count < stream.count {
        let at = Some(made.taken.count).filter(|&at| at < named.len() as u64);
        found = Some(Difference { at, was: named.get(made.taken.count as usize).copied(), is: None });
    }
    let other = made.taken.digest().to_string() != stream.digest;
    Ok(found.or_else(|| other.then_some(Difference { at: None, was: None, is: None })))
}

fn shown(model: &Model, token: u32) -> String {
    let text = model.tokenizer().map(|tokenizer| tokenizer.decode(&[token]));
    text.map_or(token.to_string(), |text| format!("{token} {text:?}"))
}

impl Flags {
    fn line(&self) -> Result<String> {
        if self.line != "-" {
            return Ok(self.line.clone());
        }
        let what = "cannot read the recipe from standard input";
        let bytes = bitstate_files::read_from(io::stdin().lock(), LIMIT).context(what)?;
        Ok(String::from_utf8(bytes).context(what)?.trim().to_string())
    }

    /// Opens the model of the recipe; any other is an error.
    fn open(&self, recipe: &Recipe) -> Result<Model> {
        let path = self.model.clone().unwrap_or_else(|| recipe.model.clone());
        let need = match (&recipe.prompt, &recipe.tokenizer) {
            (_, Some(_)) => Need::Text,
            (Some(Prompt::Tokens(_)), None) => Need::Ids,
            _ => Need::IfKnown,
        };
        let files = ModelFlags { model: path.clone(), variant: self.variant };
        let model = files.open_for(&TextFlags::of(&recipe.text), need, 1).map_err(explained)?;
        ensure!(
            model.sha256() == recipe.sha256,
            "{} is not the model of the recipe: its SHA-256 is {}, not {}; give the right one with --model",
            path.display(),
            model.sha256(),
            recipe.sha256
        );
        let tokenizer = model.tokenizer().map(|tokenizer| tokenizer.digest());
        ensure!(
            recipe.tokenizer.is_none() || tokenizer == recipe.tokenizer.as_deref(),
            "the tokenizer of {} is not the tokenizer of the recipe: put the right one next to the model",
            path.display()
        );
        Ok(model)
    }

    /// The session after the prompt.
    fn begin(&self, recipe: &Recipe, model: &Model) -> Result<Session> {
        let sampling = recipe.sampling.as_ref().map(|sampling| sampling.sampling());
        let mut session = match &recipe.session {
            None => model.session(sampling.unwrap_or_else(Sampling::greedy))?,
            Some(file) => {
                let path = self.session.as_ref().unwrap_or(&file.path);
                let (mut session, found) = resume(model, path)?;
                ensure!(
                    found.sha256 == file.sha256,
                    "{} has changed since the recipe was written: its SHA-256 is {}, not {}; give the original \
                     session with --session",
                    path.display(),
                    found.sha256,
                    file.sha256
                );
                if let Some(sampling) = sampling {
                    session.set_sampling(sampling)?;
                }
                session
            }
        };
        let special = recipe.parse_special;
        match &recipe.prompt {
            None => {}
            Some(Prompt::Text(text)) => drop(feed_text(&mut session, text, special)?),
            Some(Prompt::Tokens(tokens)) => session.feed(tokens)?,
            Some(Prompt::File { path, bytes, digest }) => {
                self.feed_file(&mut session, self.prompt_file.as_ref().unwrap_or(path), (*bytes, digest), special)?;
            }
            Some(Prompt::Stdin { bytes, digest }) => match &self.prompt_file {
                Some(path) => self.feed_file(&mut session, path, (*bytes, digest), special)?,
                None => bail!("the prompt of {bytes} bytes came from standard input: give it with --prompt-file"),
            },
        }
        Ok(session)
    }

    fn feed_file(&self, session: &mut Session, path: &Path, (bytes, digest): (u64, &str), special: bool) -> Result<()> {
        let what = || format!("cannot read the prompt {}", path.display());
        let fed = feed(session, File::open(path).with_context(what)?, special).with_context(what)?;
        ensure!(
            fed.bytes == bytes && fed.digest.to_string() == digest,
            "{} is not the prompt of the recipe: it has {} bytes and the XXH64 {}, not {bytes} and {digest}; give the \
             right one with --prompt-file",
            path.display(),
            fed.bytes,
            fed.digest
        );
        Ok(())
    }
}
