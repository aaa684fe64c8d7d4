//! `bitstate replay`: a text made again from its recipe.

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

/// Longest line that is read, in bytes: one with many token ids as its prompt.
const LIMIT: u64 = 64 << 20;

/// Make a text again from its recipe, and say whether it is the same.
///
/// A recipe is the last line that `generate` writes on standard error: the model and its SHA-256, the prompt, the seed and
/// the sampling, and what came of it. The answer is `same`, or `differs at token 37`, counted from 1 behind the prompt, with
/// the exit code 1. Beyond 4,096 tokens a recipe has the digest of all alone.
#[derive(clap::Args)]
pub struct Flags {
    /// The line; `-` reads it from standard input.
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    line: String,
    /// The model, where it lies elsewhere than the recipe says.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name, help = load::variant_help())]
    variant: Option<Variant>,
    /// The session to resume, if it is not where the recipe says.
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// The prompt, where it is too long for a recipe and lies elsewhere than the recipe says, or came from standard input.
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
        Some(Difference { at: None, .. }) => writeln!(out, "differs behind token {}", named.len())?,
        Some(Difference { at: Some(at), was, is }) => {
            writeln!(out, "differs at token {}", at + 1)?;
            let tell = |token: Option<u32>| token.map_or("the end".into(), |token| told(&model, token));
            output::say(format_args!("it was {}, and is {}", tell(was), tell(is)));
        }
    }
    Ok(if difference.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where two texts part.
#[derive(Clone, Copy)]
struct Difference {
    /// The token, from 0 on; none where it is behind those that the recipe names.
    at: Option<u64>,
    /// None where the text ended.
    was: Option<u32>,
    is: Option<u32>,
}

/// Makes the text again, as far as it is the same.
fn difference(recipe: &Recipe, named: &[u32], session: &mut Session) -> Result<Option<Difference>> {
    let stream = &recipe.stream;
    let (stop, stop_token, ignore_end) = (recipe.stop.clone(), recipe.stop_token.clone(), recipe.ignore_end);
    // One more than came, where the text ended by itself: it must not come now.
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

fn told(model: &Model, token: u32) -> String {
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

    /// The model of the recipe, and no other.
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
            "{} is another model than that of the recipe: its SHA-256 is {} and not {}; give the right one as --model",
            path.display(),
            model.sha256(),
            recipe.sha256
        );
        let tokenizer = model.tokenizer().map(|tokenizer| tokenizer.digest());
        ensure!(
            recipe.tokenizer.is_none() || tokenizer == recipe.tokenizer.as_deref(),
            "the tokenizer of {} is another one than that of the recipe: put the right one beside the model",
            path.display()
        );
        Ok(model)
    }

    /// The session behind the prompt.
    fn begin(&self, recipe: &Recipe, model: &Model) -> Result<Session> {
        let sampling = recipe.sampling.as_ref().map(|sampling| sampling.sampling());
        let mut session = match &recipe.session {
            None => model.session(sampling.unwrap_or_else(Sampling::greedy))?,
            Some(file) => {
                let path = self.session.as_ref().unwrap_or(&file.path);
                let (mut session, found) = resume(model, path)?;
                ensure!(
                    found.sha256 == file.sha256,
                    "{} has changed since the recipe was written: its SHA-256 is {} and not {}; give the session as it \
                     was as --session",
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
                None => bail!("the prompt of {bytes} bytes came from standard input: give it as --prompt-file"),
            },
        }
        Ok(session)
    }

    fn feed_file(&self, session: &mut Session, path: &Path, (bytes, digest): (u64, &str), special: bool) -> Result<()> {
        let what = || format!("cannot read the prompt {}", path.display());
        let fed = feed(session, File::open(path).with_context(what)?, special).with_context(what)?;
        ensure!(
            fed.bytes == bytes && fed.digest.to_string() == digest,
            "{} is not the prompt of the recipe: it has {} bytes and the XXH64 {}, and not {bytes} and {digest}; give the \
             right one as --prompt-file",
            path.display(),
            fed.bytes,
            fed.digest
        );
        Ok(())
    }
}
