//! `bitstate bench`: how fast a model runs on this machine.

use crate::text::explained;
use crate::{numbers, output};
use anyhow::{Context, Result};
use bitstate::bits::AlignedBytes;
use bitstate::text::{Need, TextOptions};
use bitstate::{EngineError, Error, Model, Session, Stop, Variant};
use serde::Serialize;
use std::hint::black_box;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Each round measures every variant, so that a temporary slowdown of the machine affects all of them.
const ROUNDS: usize = 5;

/// Measure a model's tokens per second with every kernel variant that runs here.
///
/// Tokens are sampled as by `generate` with its defaults, on one core; the fastest of five rounds counts. The roof is the
/// time that the variant takes to read as many bytes as the file has, measured in the same rounds: each token reads every
/// weight once.
#[derive(clap::Args)]
pub struct Flags {
    /// The BITS file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Measure only this variant.
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name)]
    variant: Option<Variant>,
    /// Milliseconds per variant and round.
    #[arg(long, value_name = "MS", default_value = "100", value_parser = numbers::positive, allow_negative_numbers = true)]
    time: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Bench {
    model: String,
    bytes: usize,
    variants: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    variant: &'static str,
    tokens_per_second: f64,
    /// Sequential read bandwidth for a buffer of the model's size, in bytes per second.
    read_bytes_per_second: f64,
    /// Tokens per second relative to what this bandwidth allows.
    share_of_memory_roof: f64,
}

/// A variant being measured; the best seconds per token and per read so far.
struct Candidate {
    session: Session,
    token: f64,
    read: f64,
}

pub fn run(flags: &Flags) -> Result<()> {
    let slice = Duration::from_millis(flags.time.into());
    let variants = flags.variant.map_or_else(|| Variant::ALL.to_vec(), |variant| vec![variant]);
    let mut candidates = Vec::new();
    for variant in variants {
        let options = TextOptions::new().need(Need::Ids);
        match Model::builder().text(options).variant(variant).open(&flags.model) {
            Ok(model) => candidates.push(Candidate::new(&model)?),
            Err(Error::Engine { cause: EngineError::Unavailable(_), .. }) if flags.variant.is_none() => {}
            Err(error) => return Err(explained(error)),
        }
    }
    let bytes = candidates.first().context("no variant runs here")?.session.model().bytes().len();
    // Not zeros: an operating system may map them all to a single page.
    let buffer = AlignedBytes::copy_of(&vec![0x3f; bytes]);
    for _ in 0..ROUNDS {
        for candidate in &mut candidates {
            candidate.token = candidate.token.min(candidate.tokens(slice)?);
            candidate.read = candidate.read.min(candidate.read(&buffer, slice / 4));
        }
    }
    let mut measured: Vec<Measured> = candidates.iter().map(|candidate| candidate.measured(bytes)).collect();
    measured.sort_by(|a, b| b.tokens_per_second.total_cmp(&a.tokens_per_second));
    print(&Bench { model: flags.model.display().to_string(), bytes, variants: measured }, flags.json)
}

impl Candidate {
    fn new(model: &Model) -> Result<Self> {
        let mut session = model.session(model.sampling(1))?;
        session.feed(&[0])?;
        Ok(Candidate { session, token: f64::INFINITY, read: f64::INFINITY })
    }

    /// Seconds per token.
    fn tokens(&mut self, slice: Duration) -> Result<f64> {
        let (start, mut count) = (Instant::now(), 0);
        for token in self.session.tokens(Stop::new().ignore_end()) {
            token?;
            count += 1;
            if start.elapsed() >= slice {
                break;
            }
        }
        Ok(start.elapsed().as_secs_f64() / f64::from(count))
    }

    /// Seconds per read of the buffer.
    fn read(&self, buffer: &[u8], slice: Duration) -> f64 {
        let kernels = self.session.model().engine().kernels();
        let (start, mut count) = (Instant::now(), 0);
        while count == 0 || start.elapsed() < slice {
            black_box(kernels.read(black_box(buffer)));
            count += 1;
        }
        start.elapsed().as_secs_f64() / f64::from(count)
    }

    fn measured(&self, bytes: usize) -> Measured {
        Measured {
            variant: self.session.model().variant().name(),
            tokens_per_second: 1.0 / self.token,
            read_bytes_per_second: bytes as f64 / self.read,
            share_of_memory_roof: self.read / self.token,
        }
    }
}

fn print(bench: &Bench, json: bool) -> Result<()> {
    let mut out = output::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string(bench)?)?;
        return Ok(());
    }
    writeln!(out, "{}, {} bytes, one core", bench.model, bench.bytes)?;
    writeln!(out, "{:<14} {:>10} {:>12} {:>14}", "variant", "tokens/s", "reads, GB/s", "share of roof")?;
    for Measured { variant, tokens_per_second, read_bytes_per_second, share_of_memory_roof } in &bench.variants {
        let (reads, share) = (read_bytes_per_second / 1e9, share_of_memory_roof * 100.0);
        writeln!(out, "{variant:<14} {tokens_per_second:>10.0} {reads:>12.1} {share:>12.0} %")?;
    }
    Ok(())
}
