//! `bitstate convert`: converts a checkpoint to a model file, with its description and tokenizer.

use super::{tokenizer_of, write_out_in_folder};
use crate::describe::describe;
use crate::output::{has_place, summarise};
use crate::text::with_fix;
use anyhow::{Context, Result, ensure};
use bitstate::bits::Config;
use bitstate::text::{Subject, fits};
use bitstate::tokenizer::{BYTES, Description, Tokenizer};
use bitstate_train::TOKENIZER_LIMIT;
use bitstate_train::checkpoint::{Checkpoint, Position};
use bitstate_train::data::TOKENIZER;
use bitstate_train::export::export;
use bitstate_train::import::import;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Convert a checkpoint to a BITS file, with its description and tokenizer next to it.
///
/// The checkpoint is from `bitstate train`, or a safetensors file with the tensors of a PyTorch model under their original
/// names, `blocks.0.tm.r_proj.weight` and so on: F32, or I8 with a `.scale` for each `.weight`.
///
/// The description of OUT is OUT.json: it identifies model and tokenizer by SHA-256, so that no other tokenizer is used with
/// the model.
#[derive(clap::Args)]
pub struct Flags {
    /// The checkpoint.
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// The BITS file to write; `-` is standard output, without a description.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// `byte`, or the tokenizer.json that the model was trained with. Default: the one next to a checkpoint of `bitstate
    /// train`; bytes for other models of 256 tokens; for the rest, no description is written.
    #[arg(long, value_name = "KIND")]
    tokenizer: Option<String>,
    /// A token that ends a text, by its name or id; may be repeated. Default: the one that the model was trained with, or
    /// those named by the tokenizer and the files next to it.
    #[arg(long, value_name = "TOKEN")]
    end: Vec<String>,
    /// Name of the model; by default, the file name of OUT without its extension.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// A model to write.
struct Model {
    config: Config,
    bytes: Vec<u8>,
    /// The position of the training run, if the checkpoint is from `bitstate train`.
    position: Option<Position>,
    what: String,
}

pub fn run(flags: &Flags) -> Result<()> {
    let Flags { checkpoint: from, out, .. } = flags;
    if let (Ok(a), Ok(b)) = (fs::canonicalize(from), fs::canonicalize(out)) {
        ensure!(a != b, "--out is the checkpoint, {}: the model would overwrite it", from.display());
    }
    let model = read(from)?;
    let tokenizer = flags.tokenizer(&model)?;
    let mut said = format!("{}: {} bytes, {}", out.display(), model.bytes.len(), model.what);
    let write_model = || write_out_in_folder(out, &model.bytes);
    if !has_place(out) {
        write_model()?;
    } else if let Some((tokenizer, file)) = tokenizer {
        let name = flags.name.as_deref();
        let description = describe(out, &model.bytes, name, &tokenizer, model.config.vocab_size)?;
        if let Some(file) = file {
            copy_tokenizer(&file, out)?;
        }
        // In this order, a process that is killed between the two leaves a description that is rejected.
        write_model()?;
        let json = description.to_json()?;
        write_out_in_folder(&Description::path(out), json.as_bytes())?;
    } else {
        write_model()?;
        remove_if_there(&Description::path(out))?;
        said += "; without a description, which needs --tokenizer";
    }
    summarise(out, &said)
}

fn read(from: &Path) -> Result<Model> {
    if !Checkpoint::is_one(from)? {
        let (config, bytes) = import(from)?;
        let (v, l, d) = (config.vocab_size, config.n_layer, config.n_embd);
        return Ok(Model { config, bytes, position: None, what: format!("from PyTorch tensors: V {v}, L {l}, D {d}") });
    }
    let Checkpoint { position, params, .. } = Checkpoint::load(from)?;
    ensure!(
        position.bitnet,
        "{} was trained with bitnet = false: a BITS file holds ternary weights only",
        from.display()
    );
    let config = position.config();
    let (bytes, what) = (export(&config, &params)?, format!("step {}", position.step));
    Ok(Model { config, bytes, position: Some(position), what })
}

impl Flags {
    /// The tokenizer with its end tokens, and its file; `None` if not known.
    fn tokenizer(&self, model: &Model) -> Result<Option<(Tokenizer, Option<PathBuf>)>> {
        let given = self.tokenizer.as_deref();
        let file = match (&model.position, given) {
            (Some(position), given) => tokenizer_of(&self.checkpoint, position, given)?,
            (None, Some(path)) if path != BYTES => Some(PathBuf::from(path)),
            (None, None) if model.config.vocab_size != 256 => return Ok(None),
            (None, _) => None,
        };
        let mut tokenizer = file.as_deref().map_or_else(|| Ok(Tokenizer::byte()), Tokenizer::open)?;
        let name = file.as_ref().map_or_else(|| "the tokenizer of bytes".into(), |file| file.display().to_string());
        let subject = Subject { path: &self.checkpoint, vocab_size: model.config.vocab_size, description: None };
        let more = fits(&tokenizer, &name, subject, false).map_err(with_fix)?;
        more.iter().for_each(|text| crate::text::note(text));
        let trained = model.position.as_ref().and_then(|position| position.end);
        if !self.end.is_empty() {
            let ids = self.end.iter().map(|end| tokenizer.id(end)).collect::<Result<_, _>>();
            tokenizer.set_ends(ids.context("--end")?);
        } else if let Some(end) = trained {
            tokenizer.set_ends(vec![end]);
        } else if let Some(file) = &file {
            tokenizer.find_ends(file)?;
        }
        Ok(Some((tokenizer, file)))
    }
}

/// Copies the tokenizer next to the model, where it is looked up.
fn copy_tokenizer(file: &Path, out: &Path) -> Result<()> {
    let to = out.with_file_name(TOKENIZER);
    let json =
        bitstate_files::read(file, TOKENIZER_LIMIT).with_context(|| format!("cannot read {}", file.display()))?;
    match bitstate_files::read(&to, TOKENIZER_LIMIT) {
        Ok(there) => ensure!(
            there == json,
            "{} differs from {}: choose another folder for --out, or move it away",
            to.display(),
            file.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => write_out_in_folder(&to, &json)?,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", to.display())),
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
