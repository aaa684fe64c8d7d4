//! `bitstate eval --records`: whether a model's answers are right.

use super::scores::{Outcome, Phrases, Record, Share, most_frequent, numbers};
use super::{Flags, per_second};
use crate::map::workers::{Answer, Asked, Template, Workers};
use crate::{interrupt, output};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Largest file of records.
const LARGEST: u64 = 1 << 30;

/// The whole result.
#[derive(Serialize)]
struct Report {
    records: usize,
    variant: &'static str,
    records_per_second: f64,
    /// Exact answers by task, of the model and of what it is compared with.
    exact: Vec<Exact>,
    /// Exact answers of the model by task and class, and what the others were.
    classes: Vec<Class>,
    /// Other shares.
    measures: Vec<Measure>,
}

/// Exact answers of one task.
#[derive(Serialize)]
struct Exact {
    task: String,
    model: Share,
    /// The answers of the rules, recomputed from the prompts; `None` in a build without them.
    rules: Option<Share>,
    /// Always the task's most frequent answer.
    most_frequent: Share,
    /// The model in f32.
    f32: Option<Share>,
}

/// A class of a task.
#[derive(Serialize)]
struct Class {
    task: String,
    class: String,
    exact: Share,
    /// In the order of [`Outcome::ALL`].
    outcomes: [usize; Outcome::ALL.len()],
}

#[derive(Serialize)]
struct Measure {
    name: &'static str,
    share: Share,
}

/// An answered record.
struct Judged<'a> {
    record: &'a Record,
    answer: String,
    outcome: Outcome,
}

pub fn run(flags: &Flags, path: &Path) -> Result<()> {
    let mut records = read(path)?;
    records.truncate(flags.stories.unwrap_or(u32::MAX) as usize);
    ensure!(!records.is_empty(), "there is no record in {}", path.display());
    let model = flags.model.as_deref().context("give --model: --records compares whole answers")?;
    let template = flags.of_records.template.open(model, flags.variant, &flags.tokenizer)?;
    let phrases = flags.of_records.phrases();
    interrupt::listen()?;

    let start = Instant::now();
    let answers = answer_all(&template, &records, flags.of_records.threads.count()?)?;
    let seconds = start.elapsed().as_secs_f64();
    let judged: Vec<Judged<'_>> = records
        .iter()
        .zip(answers)
        .map(|(record, answer)| Judged {
            record,
            outcome: phrases.outcome(&record.answer, &answer.text),
            answer: answer.text,
        })
        .collect();
    let report = Report {
        records: records.len(),
        variant: template.model().variant().name(),
        records_per_second: per_second(records.len(), seconds),
        exact: exact(flags, &judged)?,
        classes: classes(&judged),
        measures: measures(&phrases, &judged),
    };
    flags.of_records.draw(&report)?;
    print(&report, flags.json)
}

/// The records of a file of JSON lines.
fn read(path: &Path) -> Result<Vec<Record>> {
    let name = path.display();
    let bytes = bitstate_files::read(path, LARGEST).with_context(|| format!("cannot read {name}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        anyhow::anyhow!("{name}: not UTF-8: the first wrong byte is at offset {}", error.utf8_error().valid_up_to())
    })?;
    let lines = text.trim_start_matches('\u{feff}').lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let parse = |(line, number): (&str, u64)| {
        serde_json::from_str(line).with_context(|| {
            format!("{name}: line {number} is not a record, an object with the texts prompt, answer, task and class")
        })
    };
    lines.map(parse).collect()
}

/// The answers, in the order of the records.
fn answer_all(template: &Template, records: &[Record], threads: usize) -> Result<Vec<Answer>> {
    let Workers { asked, answered, threads: workers } = Workers::start(template, threads)?;
    let prompts: Vec<String> = records.iter().map(|record| record.prompt.clone()).collect();
    let feeder = std::thread::spawn(move || {
        for (record, number) in prompts.into_iter().zip(0..) {
            if asked.send(Asked { number, record: Ok(record) }).is_err() {
                break;
            }
        }
    });
    let bar = output::progress(records.len() as u64, "records");
    let mut answers = BTreeMap::new();
    for done in &answered {
        let number = done.number;
        let answer = done.answer.map_err(|error| anyhow::anyhow!("record {}: {error}", number + 1))?;
        answers.insert(number, answer);
        bar.advance();
    }
    bar.finish();
    drop(feeder.join());
    Workers::join(workers);
    ensure!(answers.len() == records.len(), "a thread failed: {} of {} answers", answers.len(), records.len());
    Ok(answers.into_values().collect())
}

/// Exact answers by task, compared.
fn exact(flags: &Flags, judged: &[Judged<'_>]) -> Result<Vec<Exact>> {
    let records: Vec<Record> = judged.iter().map(|judged| judged.record.clone()).collect();
    let frequent = most_frequent(&records);
    let twin = flags.of_records.twin(&flags.tokenizer, &records)?;
    let tasks: Vec<&str> = frequent.keys().copied().collect();
    let of = |task: &str| {
        let is_of = move |record: &Record| record.task == task;
        let shares =
            |right: &dyn Fn(usize) -> bool| Share::of((0..judged.len()).filter(|&i| is_of(judged[i].record)), right);
        Exact {
            task: task.into(),
            model: shares(&|i| judged[i].outcome == Outcome::Exact),
            rules: RULES.map(|rules| shares(&|i| rules(&records[i].prompt) == records[i].answer)),
            most_frequent: shares(&|i| frequent[task] == records[i].answer),
            f32: twin.as_ref().map(|twin| shares(&|i| twin[i])),
        }
    };
    Ok(tasks.into_iter().map(of).collect())
}

/// The answers of the rules of `data make devices`.
#[cfg(feature = "train")]
const RULES: Option<fn(&str) -> String> = Some(bitstate_train::data::plant::answer);
#[cfg(not(feature = "train"))]
const RULES: Option<fn(&str) -> String> = None;

fn classes(judged: &[Judged<'_>]) -> Vec<Class> {
    let mut classes: BTreeMap<(&str, &str), [usize; Outcome::ALL.len()]> = BTreeMap::new();
    for Judged { record, outcome, .. } in judged {
        let outcomes = classes.entry((&record.task, &record.class)).or_default();
        outcomes[*outcome as usize] += 1;
    }
    let class = |((task, class), outcomes): ((&str, &str), [usize; Outcome::ALL.len()])| Class {
        task: task.into(),
        class: class.into(),
        exact: Share::new(outcomes[Outcome::Exact as usize], outcomes.iter().sum()),
        outcomes,
    };
    classes.into_iter().map(class).collect()
}

fn measures(phrases: &Phrases, judged: &[Judged<'_>]) -> Vec<Measure> {
    // Tasks in which alarms are stated at all.
    let tasks: BTreeSet<&str> =
        judged.iter().filter(|j| phrases.has_alarm(&j.record.answer)).map(|j| j.record.task.as_str()).collect();
    let watched = || judged.iter().filter(|j| tasks.contains(j.record.task.as_str()));
    let has_alarm = |j: &&Judged<'_>| phrases.has_alarm(&j.record.answer);
    let refusals = |wanted: bool| judged.iter().filter(move |j| (j.record.answer == phrases.refusal) == wanted);
    let refused = |j: &Judged<'_>| j.answer == phrases.refusal;
    let with_numbers = judged.iter().filter(|j| !numbers(&j.record.answer).is_empty());
    [
        ("state right", Share::of(watched(), |j| phrases.same_state(&j.record.answer, &j.answer))),
        ("missed alarms", Share::of(watched().filter(has_alarm), |j| phrases.misses(&j.record.answer, &j.answer))),
        ("false alarms", Share::of(watched(), |j| phrases.misses(&j.answer, &j.record.answer))),
        ("numbers right", Share::of(with_numbers, |j| numbers(&j.record.answer) == numbers(&j.answer))),
        ("refused outside the tasks", Share::of(refusals(true), refused)),
        ("refused wrongly", Share::of(refusals(false), refused)),
    ]
    .map(|(name, share)| Measure { name, share })
    .into()
}

fn print(report: &Report, json: bool) -> Result<()> {
    let mut out = output::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    let percent = |share: Share| {
        let Share { count, of, low, high } = share;
        let percent = 100.0 * count as f64 / of.max(1) as f64;
        let (low, high) = (low * 100.0, high * 100.0);
        if of == 0 { "none".into() } else { format!("{percent:6.2} % ({low:.2} to {high:.2}), {count} of {of}") }
    };
    let short = |share: Option<Share>| {
        share.map_or("-".into(), |share| format!("{:.2} %", 100.0 * share.count as f64 / share.of.max(1) as f64))
    };
    let Report { records, variant, records_per_second, .. } = report;
    writeln!(out, "{records} records, {records_per_second:.0} records/s, {variant}; in parentheses 95 % intervals")?;
    writeln!(out, "\n{:<10} {:<42} {:>9} {:>14} {:>9}", "exact", "model", "rules", "most frequent", "f32")?;
    for Exact { task, model, rules, most_frequent, f32 } in &report.exact {
        let (model, rules, f32) = (percent(*model), short(*rules), short(*f32));
        writeln!(out, "{task:<10} {model:<42} {rules:>9} {:>14} {f32:>9}", short(Some(*most_frequent)))?;
    }
    writeln!(out)?;
    for Class { task, class, exact, outcomes } in &report.classes {
        let wrong = Outcome::ALL.iter().zip(outcomes).skip(1).filter(|(_, count)| **count > 0);
        let wrong: Vec<String> = wrong.map(|((_, name), count)| format!("{count} {name}")).collect();
        writeln!(out, "{:<22} {:<42} {}", format!("{task} {class}"), percent(*exact), wrong.join(", "))?;
    }
    writeln!(out)?;
    for Measure { name, share } in &report.measures {
        writeln!(out, "{name:<26} {}", percent(*share))?;
    }
    Ok(())
}

#[cfg(feature = "train")]
impl super::RecordFlags {
    /// Whether the model in f32 answers each record exactly.
    fn twin(&self, text: &crate::text::TextFlags, records: &[Record]) -> Result<Option<Vec<bool>>> {
        use bitstate::text::Subject;
        use bitstate_train::checkpoint::Checkpoint;
        use bitstate_train::net::Net;
        use bitstate_train::quality::answers_exactly;
        let Some(path) = &self.f32 else { return Ok(None) };
        let Checkpoint { position, params, .. } = Checkpoint::load(path)?;
        let config = position.config();
        let subject = Subject { path, vocab_size: config.vocab_size, description: None };
        let tokenizer = text.for_checkpoint(subject, &position)?;
        let net = Net::new(&config, &params, position.bitnet, false);
        let end = tokenizer.end().context("answers need an end-of-text token")?;
        let bar = output::progress(records.len() as u64, "records in f32");
        let exact = |record: &Record| {
            bar.advance();
            let before = format!("{}{}{}", self.template.prefix(), record.prompt, self.template.suffix());
            let (before, answer) = (tokenizer.encode(&before)?, tokenizer.encode(&record.answer)?);
            let prompt: Vec<u32> = [end].into_iter().chain(before).collect();
            Ok(answers_exactly(&net, &prompt, &answer, end))
        };
        let exact = records.iter().map(exact).collect::<Result<_>>()?;
        bar.finish();
        Ok(Some(exact))
    }

    /// The outcomes by class as a picture.
    fn draw(&self, report: &Report) -> Result<()> {
        use bitstate_train::confusion::{Confusion, svg};
        let Some(path) = &self.picture else { return Ok(()) };
        let confusion = Confusion {
            columns: Outcome::ALL.map(|(_, name)| name.to_string()).into(),
            rows: report.classes.iter().map(|c| (format!("{} {}", c.task, c.class), c.outcomes.to_vec())).collect(),
        };
        output::write_out(path, svg(&confusion)?.as_bytes())
    }
}

#[cfg(not(feature = "train"))]
impl super::RecordFlags {
    fn twin(&self, _: &crate::text::TextFlags, _: &[Record]) -> Result<Option<Vec<bool>>> {
        Ok(None)
    }

    fn draw(&self, _: &Report) -> Result<()> {
        Ok(())
    }
}
