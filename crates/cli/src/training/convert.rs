//! `bitstate convert`: a checkpoint as a model file.

use anyhow::{Result, ensure};
use bitstate_train::checkpoint::Checkpoint;
use bitstate_train::export::export;
use bitstate_train::import::import;
use bitstate_train::write_atomically;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Write a checkpoint as a BITS file.
///
/// The checkpoint is of `bitstate train`, or a safetensors file with the tensors of a PyTorch model under their names
/// there, `blocks.0.tm.r_proj.weight` and so on: F32, or I8 with a `.scale` beside each `.weight`.
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
    let Flags { checkpoint: from, out } = flags;
    if let (Ok(a), Ok(b)) = (fs::canonicalize(from), fs::canonicalize(out)) {
        ensure!(a != b, "--out is the checkpoint, {}: the model would take its place", from.display());
    }
    let (bytes, what) = if Checkpoint::is_one(from)? {
        let checkpoint = Checkpoint::load(from)?;
        ensure!(
            checkpoint.position.bitnet,
            "{} was trained with bitnet = false: a BITS file holds ternary weights only",
            from.display()
        );
        let bytes = export(&checkpoint.position.config(), &checkpoint.params)?;
        (bytes, format!("step {}", checkpoint.position.step))
    } else {
        let (config, bytes) = import(from)?;
        let (v, l, d) = (config.vocab_size, config.n_layer, config.n_embd);
        (bytes, format!("from tensors of PyTorch: V {v}, L {l}, D {d}"))
    };
    write_atomically(out, |file| file.write_all(&bytes))?;
    println!("{}: {} bytes, {what}", out.display(), bytes.len());
    Ok(())
}
