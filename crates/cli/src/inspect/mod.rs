//! `bitstate inspect`: the contents of a model file.

mod boards;
mod picture;

use crate::load;
use crate::output::{self, write_out};
use anyhow::Result;
use bitstate::Digest;
use bitstate::bits::{Embedding, Version};
use bitstate::tokenizer::Description;
use boards::Fit;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Check a model file and print its contents, and whether it fits on this machine, in WebAssembly and on an ESP32-S3.
#[derive(clap::Args)]
pub struct Flags {
    /// The BITS file.
    #[arg(value_name = "FILE")]
    model: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write a picture of the ternary weights as a PNG: one row of matrices per layer (r, k, v, g, o of the time mix and k, r,
    /// v of the channel mix), one pixel per weight: white for 0, red for 1, blue for -1.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    file: String,
    bytes: usize,
    digest: String,
    format: &'static str,
    vocab_size: usize,
    n_layer: usize,
    n_embd: usize,
    n_head: usize,
    head_size: usize,
    ff_mult: usize,
    max_seq_len: usize,
    dropout: f32,
    embedding: &'static str,
    parameters: usize,
    ternary_weights: usize,
    /// Fraction of the ternary weights that are 0.
    zero_share: f64,
    /// Size of a session's state in bytes.
    state_bytes: usize,
    /// The memory of each target.
    fits: Vec<Fit>,
    /// The description next to the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
}

pub fn run(flags: &Flags) -> Result<()> {
    let bytes = load::read(&flags.model)?;
    let model = load::parse(&flags.model, &bytes)?;
    let c = model.config;

    let rows = model.layers.iter().map(|layer| {
        let (tm, cm) = (&layer.time_mix, &layer.channel_mix);
        [&tm.r, &tm.k, &tm.v, &tm.g, &tm.o, &cm.k, &cm.r, &cm.v].map(|linear| linear.weight).to_vec()
    });
    let rows: Vec<Vec<_>> = rows.collect();
    let matrices: Vec<_> = rows.iter().flatten().collect();
    let ternary_weights: usize = matrices.iter().map(|matrix| matrix.rows * matrix.cols).sum();
    let zeros: usize =
        matrices.iter().map(|m| (0..m.rows * m.cols).filter(|at| m.get(at / m.cols, at % m.cols) == 0).count()).sum();
    // Vectors of a layer: the norms and scales of 8 matrices, ln1, ln2, 6 token shifts, the group norm, decay and u.
    let vectors = c.n_layer * (2 * (7 * c.n_embd + c.ff_dim()) + 8 + (4 + 6 + 2 + 2) * c.n_embd) + 2 * c.n_embd;

    let summary = Summary {
        file: flags.model.display().to_string(),
        bytes: bytes.len(),
        digest: Digest::of(&bytes).to_string(),
        format: match model.version {
            Version::V1_0 => "BITS 1.0",
            Version::V1_1 => "BITS 1.1",
            Version::V1_2 => "BITS 1.2",
        },
        vocab_size: c.vocab_size,
        n_layer: c.n_layer,
        n_embd: c.n_embd,
        n_head: c.n_head,
        head_size: c.head_size,
        ff_mult: c.ff_mult,
        max_seq_len: c.max_seq_len,
        dropout: c.dropout,
        embedding: match model.embedding {
            Embedding::F32(_) => "f32",
            Embedding::Int8 { .. } => "int8, a scale per row",
        },
        parameters: c.vocab_size * c.n_embd + ternary_weights + vectors,
        ternary_weights,
        zero_share: zeros as f64 / ternary_weights as f64,
        state_bytes: c.n_layer * c.n_embd * (2 + c.head_size) * size_of::<f32>(),
        fits: boards::fits(&c, bytes.len() as u64),
        description: load::described(&flags.model, &bytes)?,
    };
    if let Some(path) = &flags.picture {
        write_out(path, &picture::png(&rows)?)?;
    }
    let mut out = output::stdout();
    if flags.json {
        writeln!(out, "{}", serde_json::to_string(&summary)?)?;
        return Ok(());
    }
    let serde_json::Value::Object(mut fields) = serde_json::to_value(&summary)? else { return Ok(()) };
    fields.remove("fits");
    print(&mut out, fields)?;
    writeln!(out)?;
    boards::table(&summary.fits).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

/// One line per field; the fields of the description without its name.
fn print(out: &mut impl Write, fields: serde_json::Map<String, serde_json::Value>) -> Result<()> {
    for (name, value) in fields {
        match value {
            serde_json::Value::Object(fields) => print(out, fields)?,
            value => {
                let value = value.as_str().map_or_else(|| value.to_string(), String::from);
                writeln!(out, "{name:>16}  {value}")?;
            }
        }
    }
    Ok(())
}
