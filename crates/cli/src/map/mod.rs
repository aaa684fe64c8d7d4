//! `bitstate map`: answers records, one after the other.

mod source;
pub mod workers;

use crate::interrupt::{self, INTERRUPTED};
use crate::load::variant_help;
use crate::text::{TextFlags, explained, note};
use crate::threads::Threads;
use crate::{numbers, output};
use anyhow::{Context, Result, ensure};
use bitstate::text::Need;
use bitstate::{Model, Variant};
use serde::Serialize;
use source::Source;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use workers::{Answer, Answered, Asked, Template, Workers};

/// Answer records: one line in, one line out, in the same order.
///
/// Every record is answered by itself, from the state after the prefix, which is processed once; the likeliest token is always
/// chosen. Empty lines are skipped. A record that is too long or not UTF-8 gives a line that begins with `error:`, and the
/// next one is answered.
///
/// Exit codes: 0 if every record was answered, 1 if one was not, 2 for an error that ended the command, 130 after Ctrl-C. The
/// last line on standard error is a summary.
#[derive(clap::Args)]
#[command(after_help = "Try it:\n  \
    echo '12:05 P12 temp=81.4/75' | bitstate map --model model.bits\n  \
    bitstate map --model model.bits --records plant.log --follow --json")]
pub struct Flags {
    /// The BITS file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name, help = variant_help())]
    variant: Option<Variant>,
    #[command(flatten)]
    text: TextFlags,
    /// The records, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    records: PathBuf,
    /// At the end of the file, wait for more lines until Ctrl-C. A file that becomes shorter is read again from its start.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    template: TemplateFlags,
    /// Longest record in bytes.
    #[arg(long, value_name = "N", default_value = "4096", value_parser = numbers::positive, allow_negative_numbers = true)]
    max_bytes: u32,
    /// Threads, each of which answers several records at once: a number, or `auto` for every core. The answers do not depend on
    /// it.
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true)]
    threads: Threads,
    /// Print JSON lines: the record's number from 1, and its answer or error.
    #[arg(long)]
    json: bool,
}

/// What a record is put into.
#[derive(clap::Args)]
pub struct TemplateFlags {
    /// Text before every record; by default none.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prefix: Option<String>,
    /// Text between a record and its answer; by default a newline.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    suffix: Option<String>,
    /// Maximum number of tokens in an answer, which ends with the text or the line; by default 128.
    #[arg(long, value_name = "N", value_parser = numbers::positive, allow_negative_numbers = true)]
    max_tokens: Option<u32>,
}

impl TemplateFlags {
    /// Opens a model for many records, and processes the prefix.
    pub fn open(&self, path: &std::path::Path, variant: Option<Variant>, text: &TextFlags) -> Result<Template> {
        let builder = Model::builder().text(text.options(Need::Text)).for_many_sessions();
        let builder = variant.into_iter().fold(builder, |builder, variant| builder.variant(variant));
        let model = builder.open(path).map_err(explained)?;
        model.notes().iter().for_each(|text| note(text));
        Template::new(&model, self.prefix(), self.suffix(), self.max_tokens.unwrap_or(128))
    }

    /// Text before every record.
    pub fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    /// Text after every record.
    pub fn suffix(&self) -> &str {
        self.suffix.as_deref().unwrap_or("\n")
    }

    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        self.prefix.is_some() || self.suffix.is_some() || self.max_tokens.is_some()
    }
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    record: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    /// Whether the model ended the answer, rather than --max-tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// What was done.
#[derive(Default)]
struct Summary {
    records: u64,
    errors: u64,
    tokens: u64,
    cut: u64,
}

pub fn run(flags: &Flags) -> Result<ExitCode> {
    ensure!(
        !flags.follow || flags.records.as_os_str() != "-",
        "--follow waits for a file to grow, and standard input is read to its end anyway: give --records FILE"
    );
    let threads = flags.threads.count()?;
    let template = flags.template.open(&flags.model, flags.variant, &flags.text)?;
    let source = Source::open(&flags.records, flags.follow, flags.max_bytes as usize)?;
    interrupt::listen()?;
    let start = Instant::now();
    let Workers { asked, answered, threads: workers } = Workers::start(&template, threads)?;
    // A permit for each record underway: what waits for its turn to be printed is bounded, too.
    let (permits, released) = sync_channel(Workers::room(threads));
    // Not joined: it may wait for input when everything else is over.
    let reader = std::thread::Builder::new().name("records".into());
    let failed = {
        let (failure, failed) = sync_channel(1);
        let read = move || {
            if let Err(error) = read(source, &asked, &permits) {
                let _ = failure.send(error);
            }
        };
        reader.spawn(read).context("cannot start a thread")?;
        failed
    };
    let mut summary = Summary::default();
    let mut out = output::stdout();
    let interrupted = interrupt::keep(|| flags.write(&mut out, &answered, &released, &mut summary))?;
    if !interrupted {
        Workers::join(workers);
    }
    let seconds = start.elapsed().as_secs_f64();
    let per_second = crate::eval::per_second(summary.records as usize, seconds);
    let Summary { records, errors, tokens, cut } = summary;
    let (variant, of_threads) = (template.model().variant().name(), flags.threads.used(threads));
    output::say(format_args!(
        "{records} records, {errors} not answered, {cut} answers cut off, {tokens} tokens; {per_second:.0} records/s, \
         --variant {variant}{of_threads}"
    ));
    if let Ok(error) = failed.try_recv() {
        return Err(error);
    }
    Ok(match interrupted {
        true => ExitCode::from(INTERRUPTED),
        false => ExitCode::from(u8::from(errors > 0)),
    })
}

/// Reads records until the end, or until nobody wants them.
fn read(mut source: Source, asked: &SyncSender<Asked>, permits: &SyncSender<()>) -> Result<()> {
    let mut number = 0;
    while let Some(record) = source.next()? {
        if permits.send(()).is_err() || asked.send(Asked { number, record }).is_err() {
            break;
        }
        number += 1;
    }
    Ok(())
}

impl Flags {
    /// Prints answers in the order of their records. Returns whether Ctrl-C ended it.
    fn write(
        &self,
        out: &mut impl Write,
        answered: &Receiver<Answered>,
        released: &Receiver<()>,
        summary: &mut Summary,
    ) -> Result<bool> {
        let mut early = BTreeMap::new();
        loop {
            match answered.recv_timeout(Duration::from_millis(50)) {
                Ok(Answered { number, answer }) => drop(early.insert(number, answer)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
            }
            while let Some(answer) = early.remove(&summary.records) {
                summary.records += 1;
                self.line(out, summary, &answer)?;
                let _ = released.try_recv();
            }
            if interrupt::asked() {
                return Ok(true);
            }
        }
    }

    fn line(&self, out: &mut impl Write, summary: &mut Summary, answer: &Result<Answer, String>) -> Result<()> {
        match answer {
            Ok(answer) => {
                summary.tokens += answer.tokens;
                summary.cut += u64::from(!answer.is_whole);
            }
            Err(_) => summary.errors += 1,
        }
        let (told, error) = (answer.as_ref().ok(), answer.as_ref().err());
        if self.json {
            let line = Line {
                record: summary.records,
                answer: told.map(|answer| answer.text.as_str()),
                tokens: told.map(|answer| answer.tokens),
                whole: told.map(|answer| answer.is_whole),
                error: error.map(String::as_str),
            };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            match answer {
                Ok(answer) => writeln!(out, "{}", answer.text)?,
                Err(error) => writeln!(out, "error: record {}: {error}", summary.records)?,
            }
        }
        // Whoever follows a log sees an answer at once.
        Ok(out.flush()?)
    }
}
