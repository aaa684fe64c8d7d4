//! `bitstate generate`: continues a prompt.

pub mod answer;
mod lines;
pub mod replay;

use crate::eval::per_second;
use crate::interrupt::{self, INTERRUPTED};
use crate::load::ModelFlags;
use crate::prompt::Prompt;
use crate::recipe::{self, End, Recipe, SessionFile};
use crate::sampling::{SamplingFlags, StopFlags};
use crate::text::{TextFlags, explained, note, with_fix};
use crate::threads::Threads;
use crate::{numbers, output};
use answer::{Answer, answer};
use anyhow::{Context, Result, anyhow, ensure};
use bitstate::text::Need;
use bitstate::tokenizer::{Description, END_OF_TEXT, sha256};
use bitstate::{Error, Model, Session, Stop};
use lines::{Line, Summary, TokenLine};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Continue a prompt.
///
/// Text is encoded and decoded with the model's tokenizer, and generation stops at the end of the text; token ids work with any
/// model, without a tokenizer. An empty prompt starts a new text. The same seed gives the same tokens on every machine, and
/// a prompt gives the same tokens as its token ids.
///
/// Standard output has only the text. The last line on standard error is the recipe of the text: `bitstate replay 'LINE'`
/// reproduces it on any machine and reports whether it is the same. Ctrl-C stops and keeps the text so far.
///
/// A model may have a description, FILE.json next to FILE, written by `convert` and `describe`: it names the tokenizer, the
/// tokens that end a text, and the sampling defaults. Without one, `--tokens` ignores a tokenizer.json next to the model,
/// the sampling defaults depend only on the size of the vocabulary, and 256 tokens are assumed to be bytes.
#[derive(clap::Args)]
pub struct Flags {
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    prompt: Prompt,
    /// Resume the session in this file, as if it had never been saved. Its sampling is kept unless flags change it. A prompt may
    /// follow.
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// Save the session at the end, to resume it later on any machine.
    #[arg(long, value_name = "FILE", conflicts_with = "answers")]
    save_session: Option<PathBuf>,
    #[command(flatten)]
    text: TextFlags,
    /// Parse special tokens in the prompt, such as `<|endoftext|>`, as these tokens; by default they are plain text.
    #[arg(long, conflicts_with = "tokens")]
    parse_special: bool,
    /// Maximum number of tokens to generate.
    #[arg(long, value_name = "N", default_value = "64", value_parser = numbers::count, allow_negative_numbers = true)]
    max_tokens: u32,
    #[command(flatten)]
    stop: StopFlags,
    /// Number of answers, each with its own seed: the first with the seed, the second with the next number, and so on. A line
    /// `<|endoftext|>` separates them.
    #[arg(long, value_name = "N", default_value = "1", value_parser = numbers::positive, allow_negative_numbers = true)]
    answers: u32,
    #[command(flatten)]
    sampling: SamplingFlags,
    /// Threads that share the head of a large model: a number, or `auto` for every core. The tokens do not depend on it.
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true)]
    threads: Threads,
    /// Print JSON: one line per token as it is generated, then a summary.
    #[arg(long)]
    json: bool,
    /// Add to the JSON the log probability of each token and the N likeliest tokens at its position.
    #[arg(long, value_name = "N", requires = "json", value_parser = numbers::count, allow_negative_numbers = true)]
    logprobs: Option<u32>,
}

pub fn run(flags: &Flags) -> Result<ExitCode> {
    ensure!(
        flags.prompt.is_given() || flags.session.is_some(),
        "nothing to continue: give --prompt TEXT, --prompt-file FILE or --tokens IDS, or --session FILE to resume"
    );
    if let Some(path) = &flags.save_session {
        has_folder(path)?;
    }
    let model = flags.open()?;
    if !flags.stop.ignore_end && model.tokenizer().is_some() && model.ends().is_empty() {
        note("no end-of-text token is known, so --max-tokens tokens are generated; use --end to name one");
    }
    interrupt::listen()?;
    let (mut session, file) = flags.begin(&model)?;
    let prompt = flags.prompt.feed(&mut session, flags.parse_special)?;
    let stop = flags.stop.stop(&model)?.max_tokens(flags.max_tokens.into());
    let stop = flags.logprobs.iter().fold(stop, |stop, &n| stop.alternatives(n as usize));

    let sessions = if flags.answers == 1 { vec![session] } else { session.answers(flags.answers as usize) };
    for (number, mut session) in (1..).zip(sessions) {
        // The same seeds as in `Session::answers`.
        let seed = session.sampling().seed.wrapping_add(number - 1);
        let resumed = file.is_some() && !flags.sampling.any() && flags.answers == 1;
        let sampling = (!resumed).then(|| (&session.sampling().clone().seed(seed)).into());
        let recipe = |stream| Recipe {
            bitstate_recipe: Recipe::VERSION,
            model: flags.model.model.clone(),
            sha256: model.sha256().to_string(),
            tokenizer: model.tokenizer().map(|tokenizer| tokenizer.digest().to_string()),
            text: flags.text.recipe(),
            session: file.clone(),
            prompt: prompt.clone(),
            parse_special: flags.parse_special,
            sampling,
            stop: flags.stop.stop.clone(),
            stop_token: flags.stop.stop_token.clone(),
            ignore_end: flags.stop.ignore_end,
            stream,
        };
        let shown = Shown { flags, number: number as usize, seed };
        if shown.write(&mut session, stop.clone(), recipe)? == End::Interrupted {
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks that a file can be written at `path`, before the text is generated and not after.
pub fn has_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let there = folder.is_none_or(Path::is_dir);
    ensure!(there, "cannot write {}: its folder does not exist; create it first", path.display());
    ensure!(!path.is_dir(), "cannot write {}: it is a folder; name a file", path.display());
    Ok(())
}

/// The session in a file, and its name and digest for the recipe.
pub fn resume(model: &Model, path: &Path) -> Result<(Session, SessionFile)> {
    let session = model.resume_file(path)?;
    let sha256 = sha256(&std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
    Ok((session, SessionFile { path: path.to_path_buf(), sha256 }))
}

impl Flags {
    /// The model, with a tokenizer if the prompt is text.
    fn open(&self) -> Result<Model> {
        let need = match self.prompt.is_text() {
            true => Need::Text,
            false if self.prompt.is_given() => Need::Ids,
            false => Need::IfKnown,
        };
        let model = self.model.open_for(&self.text, need, self.threads.count()?);
        // Token ids do not need the tokenizer, so its errors do not matter unless a description names it.
        let described = Description::path(&self.model.model).exists();
        model.map_err(|error| match error {
            Error::Text(error) if need == Need::Text && !described => {
                anyhow!("{:#}; or give token ids as --tokens", with_fix(*error))
            }
            error => explained(error),
        })
    }

    /// The session before the prompt.
    fn begin(&self, model: &Model) -> Result<(Session, Option<SessionFile>)> {
        let Some(path) = &self.session else {
            return Ok((model.session(self.sampling.fresh(model)?)?, None));
        };
        let (mut session, file) = resume(model, path)?;
        if self.sampling.any() {
            session.set_sampling(self.sampling.change(model, session.sampling())?)?;
        }
        Ok((session, Some(file)))
    }
}

/// One answer on standard output.
struct Shown<'f> {
    flags: &'f Flags,
    number: usize,
    seed: u64,
}

impl Shown<'_> {
    fn write(&self, session: &mut Session, stop: Stop, recipe: impl FnOnce(recipe::Stream) -> Recipe) -> Result<End> {
        let (flags, model) = (self.flags, session.model().clone());
        let mut out = output::stdout();
        let start = Instant::now();
        let answered =
            interrupt::keep(|| answer(session, stop, |token, shown| self.token(&mut out, &model, token, shown)));
        // If the reader closed the pipe, the text ends with what it has read.
        let gone = answered.as_ref().is_err_and(output::reader_went_away);
        if let Some(path) = flags.save_session.as_ref().filter(|_| gone || answered.is_ok()) {
            session.save(path)?;
        }
        let Answer { taken, ended, held } = answered?;
        let tokens_per_second = per_second(taken.count as usize, start.elapsed().as_secs_f64());
        // An incomplete character is kept in a session that can be resumed, but not in a stopped text.
        let is_whole = flags.save_session.is_none() && ended != End::Interrupted;
        let rest = held + if is_whole { session.finish_text() } else { String::new() }.as_str();
        let recipe = recipe(taken.stream(ended));

        let (variant, threads) = (model.variant().name(), model.threads());
        let seed = (!session.sampling().is_greedy()).then_some(self.seed);
        if flags.json {
            let line = Line::Summary(Summary {
                answer: self.answer(),
                text: model.tokenizer().map(|_| rest.as_str()),
                count: taken.count,
                ended,
                digest: taken.digest().to_string(),
                tokens_per_second,
                seed,
                variant,
                threads,
                recipe: &recipe,
            });
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            writeln!(out, "{rest}")?;
            let more = self.number < flags.answers as usize && ended != End::Interrupted;
            if more {
                writeln!(out, "{END_OF_TEXT}")?;
            }
            let seed = seed.map_or(String::new(), |seed| format!(", --seed {seed}"));
            let threads = flags.threads.used(threads);
            let n = taken.count;
            output::say(format_args!(
                "{n} tokens, {tokens_per_second:.0} per second, --variant {variant}{threads}{seed}"
            ));
        }
        out.flush()?;
        output::say(format_args!("{}", recipe.line()?));
        Ok(ended)
    }

    fn token(&self, out: &mut impl Write, model: &Model, token: &bitstate::Token, shown: &str) -> Result<()> {
        if self.flags.json {
            let line = Line::Token(TokenLine::new(model, self.answer(), token, shown));
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else if model.tokenizer().is_none() {
            write!(out, "{} ", token.id)?;
        } else {
            write!(out, "{shown}")?;
        }
        Ok(out.flush()?)
    }

    /// Number of the answer, if there are several.
    fn answer(&self) -> Option<usize> {
        (self.flags.answers > 1).then_some(self.number)
    }
}
