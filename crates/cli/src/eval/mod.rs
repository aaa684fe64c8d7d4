//! `bitstate eval`: how well a model predicts a text, or answers records.

mod records;
mod scores;

use crate::load::ModelFlags;
use crate::map::TemplateFlags;
use crate::text::{TextFlags, explained};
use crate::threads::Threads;
use crate::{numbers, output};
use anyhow::{Context, Result, ensure};
use bitstate::text::Need;
use bitstate::tokenizer::{Tokenizer, read_stories};
use bitstate::{Digest, Error, Sampling, Session, SessionError, Variant};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Measure how well a model predicts a text: nats per token, bits per byte, perplexity; or whether its answers are right.
///
/// White space around a story is removed; each story is predicted from the end of the previous one to its own end. Bits
/// count all tokens, including ends; bytes count the stories.
///
/// With --records, each record is answered as by `bitstate map`, and compared with its answer byte for byte: by task and class,
/// alarms missed and stated wrongly, numbers, refusals, each with a 95 % interval, beside the most frequent answer of the task
/// and, in a build with --features train, the rules of `data make devices`, recomputed from the prompts.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true),
    group = clap::ArgGroup::new("on").required(true)
)]
pub struct Flags {
    /// The BITS file.
    #[arg(long, value_name = "FILE", group = "what")]
    model: Option<PathBuf>,
    /// Instead of a model: a training checkpoint, evaluated with the trainer's own forward pass, every story from an empty state.
    #[cfg(feature = "train")]
    #[arg(long, value_name = "FILE", group = "what", requires = "restart", conflicts_with_all = ["variant", "trace"])]
    checkpoint: Option<PathBuf>,
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name, help = crate::load::variant_help())]
    variant: Option<Variant>,
    /// UTF-8 text with `<|endoftext|>` between stories; or a .jsonl or .ndjson file with one object per line that has a
    /// `text` or a `story`; or a .json file with a list of such objects. A byte order mark is removed, CR LF becomes LF. At
    /// most 4 GiB.
    #[arg(long, value_name = "FILE", group = "on")]
    text: Option<PathBuf>,
    #[command(flatten)]
    of_records: RecordFlags,
    #[command(flatten)]
    tokenizer: TextFlags,
    /// Start every story from an empty state instead of the state after the previous story; records always do.
    #[arg(long)]
    restart: bool,
    /// Evaluate only the first N stories or records.
    #[arg(long, value_name = "N", value_parser = numbers::positive, allow_negative_numbers = true)]
    stories: Option<u32>,
    /// Evaluate only the first N tokens of each story; bits per byte are then not reported.
    #[arg(long, value_name = "N", value_parser = numbers::positive, allow_negative_numbers = true)]
    tokens: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Add to the JSON the tokens of each story and the digest of the logits that each was predicted from.
    #[arg(long, requires_all = ["json", "restart"])]
    trace: bool,
}

/// Flags of `--records`.
#[derive(clap::Args)]
struct RecordFlags {
    /// JSON lines of records, as `data make` writes them: objects with the texts prompt, answer, task and class. At most 1 GiB.
    #[arg(long, value_name = "FILE", group = "on", conflicts_with_all = ["restart", "tokens", "trace"])]
    records: Option<PathBuf>,
    #[command(flatten)]
    template: TemplateFlags,
    /// A phrase that states an alarm; may be repeated. Default: those of `data make devices`.
    #[arg(long, value_name = "TEXT", conflicts_with = "text", default_values = ["too hot", "too rough", "too low"])]
    alarm: Vec<String>,
    /// The answer to what lies outside the tasks.
    #[arg(long, value_name = "TEXT", conflicts_with = "text", default_value = "I cannot tell from these readings.")]
    refusal: String,
    /// Threads that answer records: a number, or `auto` for every core.
    #[arg(long, value_name = "N", conflicts_with = "text", default_value = "1", allow_negative_numbers = true)]
    threads: Threads,
    /// Compare with this training checkpoint of the model in f32, by the trainer's own forward pass.
    #[cfg(feature = "train")]
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    f32: Option<PathBuf>,
    /// Draw what the answers of each class were, as an SVG.
    #[cfg(feature = "train")]
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    picture: Option<PathBuf>,
}

impl RecordFlags {
    fn phrases(&self) -> scores::Phrases {
        scores::Phrases { alarms: self.alarm.clone(), refusal: self.refusal.clone() }
    }
}

#[derive(Serialize)]
struct Quality {
    stories: usize,
    tokens: usize,
    bytes: usize,
    nats_per_token: f64,
    /// `None` if stories were cut short: their bytes do not match their tokens.
    bits_per_byte: Option<f64>,
    /// `None` if it overflows f64.
    perplexity: Option<f64>,
    tokens_per_second: f64,
    variant: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<Trace>>,
}

/// A story token by token.
#[derive(Serialize, Default)]
struct Trace {
    /// The end-of-text token, then the story's tokens.
    tokens: Vec<u32>,
    /// Digest of the logits after each token except the last.
    digests: Vec<String>,
    nats: f64,
}

pub fn run(flags: &Flags) -> Result<()> {
    if let Some(path) = &flags.of_records.records {
        return records::run(flags, path);
    }
    let text = flags.text.as_deref().context("give --text or --records")?;
    ensure!(
        !flags.of_records.template.any(),
        "--prefix, --suffix and --max-tokens are flags of --records, not of --text"
    );
    let mut stories = read_stories(text)?;
    stories.truncate(flags.stories.unwrap_or(u32::MAX) as usize);
    ensure!(!stories.is_empty(), "there is no story in {}", text.display());
    let Evaluation { tokens, seconds, nats, variant, trace } = evaluate(flags, text, &stories)?;

    let bytes: usize = stories.iter().map(|story| story.len()).sum();
    let count: usize = tokens.iter().map(|tokens| tokens.len() - 1).sum();
    let nats_per_token = nats / count as f64;
    let quality = Quality {
        stories: stories.len(),
        tokens: count,
        bytes,
        nats_per_token,
        bits_per_byte: flags.tokens.is_none().then(|| nats / std::f64::consts::LN_2 / bytes as f64),
        perplexity: Some(nats_per_token.exp()).filter(|perplexity| perplexity.is_finite()),
        tokens_per_second: per_second(count, seconds),
        variant,
        trace: flags.trace.then_some(trace),
    };
    print(&quality, flags.json)
}

fn print(quality: &Quality, json: bool) -> Result<()> {
    let mut out = output::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string(quality)?)?;
        return Ok(());
    }
    let Quality { stories, tokens, bytes, nats_per_token, perplexity, tokens_per_second, variant, .. } = quality;
    if let Some(bits) = quality.bits_per_byte {
        write!(out, "{bits:.4} bits per byte, ")?;
    }
    let perplexity = perplexity.map_or_else(|| "above 1e308".into(), |perplexity| format!("{perplexity:.3}"));
    writeln!(out, "{nats_per_token:.4} nats per token, perplexity {perplexity}")?;
    writeln!(out, "{stories} stories, {bytes} bytes, {tokens} tokens; {tokens_per_second:.0} tokens/s, {variant}")?;
    Ok(())
}

/// Count per second; the minimum time avoids a division by zero.
pub fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds.max(1e-9)
}

/// The result over all stories.
struct Evaluation {
    /// For each story, which starts with the end-of-text token.
    tokens: Vec<Vec<u32>>,
    /// Time spent on predictions.
    seconds: f64,
    nats: f64,
    variant: &'static str,
    trace: Vec<Trace>,
}

/// Predicts the stories.
fn evaluate(flags: &Flags, text: &Path, stories: &[String]) -> Result<Evaluation> {
    #[cfg(feature = "train")]
    if let Some(checkpoint) = &flags.checkpoint {
        return by_trainer(flags, checkpoint, (text, stories));
    }
    let path = flags.model.clone().context("give --model")?;
    let model = ModelFlags { model: path, variant: flags.variant };
    let opened = model.open_for(&flags.tokenizer, Need::Text, 1).map_err(explained)?;
    let tokens = flags.encode((text, stories), opened.tokenizer().context("text needs a tokenizer")?)?;

    let start = Instant::now();
    let empty = opened.session(Sampling::greedy())?;
    let mut session = empty.clone();
    let (mut nats, mut traces) = (0.0, Vec::new());
    for (story, number) in tokens.iter().zip(1..) {
        if flags.restart {
            session = empty.clone();
        }
        let mut trace = Trace::default();
        for (pair, position) in story.windows(2).zip(1..) {
            let (of, on) = (model.model.display(), text.display());
            let place = || format!("{of} on {on}: story {number}, position {position}");
            trace.nats += surprise(&mut session, pair[0], pair[1]).map_err(unplaced).with_context(place)?;
            if flags.trace {
                trace.digests.push(Digest::of_f32s(session.logits()?).to_string());
            }
        }
        nats += trace.nats;
        if flags.trace {
            trace.tokens.clone_from(story);
            traces.push(trace);
        }
    }
    let (seconds, variant) = (start.elapsed().as_secs_f64(), opened.variant().name());
    Ok(Evaluation { tokens, seconds, nats, variant, trace: traces })
}

/// The same for a checkpoint, without the engine.
#[cfg(feature = "train")]
fn by_trainer(flags: &Flags, path: &Path, (text, stories): (&Path, &[String])) -> Result<Evaluation> {
    use bitstate::text::Subject;
    use bitstate_train::checkpoint::Checkpoint;
    use bitstate_train::net::Net;
    use bitstate_train::quality::surprises;
    let Checkpoint { position, params, .. } = Checkpoint::load(path)?;
    let config = position.config();
    let subject = Subject { path, vocab_size: config.vocab_size, description: None };
    let tokens = flags.encode((text, stories), &flags.tokenizer.for_checkpoint(subject, &position)?)?;
    let start = Instant::now();
    let net = Net::new(&config, &params, position.bitnet, false);
    let mut nats = 0.0;
    for (story, number) in tokens.iter().zip(1..) {
        let surprises = surprises(&net, story);
        if let Some(at) = surprises.iter().position(|nats| !nats.is_finite()) {
            let (of, on, position) = (path.display(), text.display(), at + 1);
            anyhow::bail!("{of} on {on}: story {number}, position {position}: a logit is NaN or infinite");
        }
        nats += surprises.iter().sum::<f64>();
    }
    let variant = if position.bitnet { "the trainer, ternary" } else { "the trainer, f32" };
    Ok(Evaluation { tokens, seconds: start.elapsed().as_secs_f64(), nats, variant, trace: Vec::new() })
}

impl Flags {
    /// The tokens of the stories, with the end-of-text token before and after each.
    fn encode(&self, (text, stories): (&Path, &[String]), tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
        let end = tokenizer.end().context("stories need an end-of-text token")?;
        let encode = |(story, number): (&String, usize)| {
            let mut tokens = vec![end];
            tokens.extend(tokenizer.encode(story).with_context(|| format!("{}: story {number}", text.display()))?);
            tokens.push(end);
            tokens.truncate(self.tokens.map_or(usize::MAX, |n| n as usize + 1));
            Ok(tokens)
        };
        stories.iter().zip(1..).map(encode).collect()
    }
}

/// An error without its position, which is counted differently here.
fn unplaced(error: Error) -> anyhow::Error {
    match error {
        Error::Session { cause: SessionError::NotFinite { not_finite, .. }, .. } => not_finite.into(),
        error => error.into(),
    }
}

/// `-ln p(next)` after `token`.
fn surprise(session: &mut Session, token: u32, next: u32) -> Result<f64, Error> {
    session.feed(&[token])?;
    let logits = session.logits()?;
    let max = logits.iter().fold(f32::NEG_INFINITY, |max, &l| max.max(l));
    let sum: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
    Ok(sum.ln() + f64::from(max) - f64::from(logits[next as usize]))
}
