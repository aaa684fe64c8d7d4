//! `bitstate convert`: a checkpoint as a model file.

use anyhow::{Context, Result, ensure};
use bitstate_train::checkpoint::Checkpoint;
use bitstate_train::export::export;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Write a checkpoint of a training run as a BITS file.
#[derive(clap::Args)]
pub struct Flags {
    /// The checkpoint.
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// The BITS file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(flags: &Flags) -> Result<()> {
    let checkpoint = Checkpoint::load(&flags.checkpoint)?;
    ensure!(
        checkpoint.position.bitnet,
        "{} was trained with bitnet = false: a BITS file holds ternary weights only",
        flags.checkpoint.display()
    );
    let bytes = export(&checkpoint.position.config(), &checkpoint.params)?;
    let folder = flags.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).with_context(|| format!("cannot write in {}", folder.display()))?;
    file.write_all(&bytes).with_context(|| format!("cannot write {}", flags.out.display()))?;
    file.persist(&flags.out).with_context(|| format!("cannot write {}", flags.out.display()))?;
    println!("{}: {} bytes, step {}", flags.out.display(), bytes.len(), checkpoint.position.step);
    Ok(())
}
