//! `bitstate data make`: generates texts whose answers can be checked.

use super::write_out_in_folder;
use crate::{numbers, output};
use anyhow::{Result, ensure};
use bitstate::tokenizer::END_OF_TEXT;
use bitstate_train::data::plant::{Example, SEPARATOR, Split, examples};
use std::io::Write;
use std::path::PathBuf;

/// Generate a task to train on, with held-out records to measure with.
///
/// `devices` are records of a small plant in three notations, each with its answer by fixed rules: the state of a device, the
/// answer to a question, a short text, or "I cannot tell from these readings." Device names, limits and readings of the
/// held-out records do not occur in those to train on.
///
/// Writes train.txt and valid.txt, for `data prepare --input train.txt --valid valid.txt --tokenizer byte`, and
/// records.jsonl, the held-out records again, for `bitstate eval --records`.
#[derive(clap::Args)]
pub struct Flags {
    /// What to generate.
    #[arg(value_name = "WHAT")]
    what: What,
    /// The same seed gives the same records.
    #[arg(long, value_name = "N", default_value = "1", value_parser = numbers::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Number of records to train on.
    #[arg(long, value_name = "N", default_value = "100000", value_parser = numbers::positive, allow_negative_numbers = true)]
    records: u32,
    /// Number of held-out records.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = numbers::positive, allow_negative_numbers = true)]
    held_out: u32,
    /// Keep only the simplest records, about one of nine: one reading as key=value, its state or a text. A model that has learned
    /// to copy from these learns the rest sooner.
    #[arg(long)]
    simple: bool,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What can be generated.
#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Readings of devices, and a sentence for each.
    Devices,
}

pub fn run(Flags { what: What::Devices, seed, records, held_out, simple, out }: &Flags) -> Result<()> {
    let of = |split, count: u32| -> Vec<Example> {
        examples(*seed, split).take(count as usize).filter(|example| !simple || example.is_simple()).collect()
    };
    let (train, valid) = (of(Split::Train, *records), of(Split::HeldOut, *held_out));
    ensure!(
        !train.is_empty() && !valid.is_empty(),
        "too few records for --simple: give more with --records and --held-out"
    );
    for (name, examples) in [("train.txt", &train), ("valid.txt", &valid)] {
        let text = |Example { prompt, answer, .. }: &Example| format!("{prompt}{SEPARATOR}{answer}\n");
        let texts: Vec<String> = examples.iter().map(text).collect();
        write_out_in_folder(&out.join(name), texts.join(&format!("{END_OF_TEXT}\n")).as_bytes())?;
    }
    let lines = valid.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    write_out_in_folder(&out.join("records.jsonl"), format!("{}\n", lines.join("\n")).as_bytes())?;
    let mut said = output::stdout();
    for (name, examples) in [("train", &train), ("held out", &valid)] {
        let bytes: usize = examples.iter().map(|e| e.prompt.len() + SEPARATOR.len() + e.answer.len()).sum();
        writeln!(said, "{name}: {} records, {bytes} bytes with their answers", examples.len())?;
    }
    writeln!(said, "written to {}", out.display())?;
    Ok(())
}
