//! `bitstate synth`: generates a model file from a seed.

use crate::numbers;
use crate::output::{summarise, write_out};
use anyhow::Result;
use bitstate::bits::{Preset, Version, synthetic};
use std::path::PathBuf;

/// Generate a model file with seeded random weights: for tests and timings, not for text.
///
/// The same preset, seed and format give the same bytes on every machine.
#[derive(clap::Args)]
pub struct Flags {
    /// Shape of the model: default, byte, large, small.
    #[arg(long, value_name = "NAME", value_parser = Preset::by_name)]
    preset: Preset,
    /// Seed of the weights.
    #[arg(long, value_name = "N", default_value = "1", value_parser = numbers::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Version of the BITS format: 1.0, 1.1 or 1.2.
    #[arg(long, value_name = "VERSION", default_value = "1.2", value_parser = version)]
    format: Version,
    /// File to write; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "1.0" => Ok(Version::V1_0),
        "1.1" => Ok(Version::V1_1),
        "1.2" => Ok(Version::V1_2),
        _ => Err("the versions are 1.0, 1.1 and 1.2".into()),
    }
}

pub fn run(flags: &Flags) -> Result<()> {
    let bytes = synthetic(&flags.preset.config(), flags.seed, flags.format);
    write_out(&flags.out, &bytes)?;
    summarise(&flags.out, &format!("{}: {} bytes", flags.out.display(), bytes.len()))
}
