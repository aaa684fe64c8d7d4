//! What the subcommands that open a model have in common.

use crate::text::{TextFlags, explained, note};
use anyhow::{Context, Result, anyhow};
use bitstate::bits::{AlignedBytes, ReadError};
use bitstate::text::{Need, TextOptions};
use bitstate::tokenizer::Description;
use bitstate::{Error, Model, Variant, bits};
use std::path::{Path, PathBuf};

/// A model and the kernels to run it with.
#[derive(clap::Args)]
pub struct ModelFlags {
    /// The BITS file.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    #[arg(long, value_name = "NAME", value_parser = Variant::by_name, help = variant_help())]
    pub variant: Option<Variant>,
}

/// The help of `--variant`.
pub fn variant_help() -> String {
    let names = Variant::ALL.map(Variant::name).join(", ");
    format!("Kernel variant to use: {names}; by default, the fastest that this machine supports")
}

/// The bytes of a file that is inspected, not run.
pub fn read(path: &Path) -> Result<AlignedBytes> {
    AlignedBytes::read_model(path).map_err(|error| match error {
        ReadError::Io(error) => anyhow!("cannot read {}: {error}", path.display()),
        error => anyhow!("{} is not a model file this program reads: {error}", path.display()),
    })
}

/// The description of the model at `path`, which must match these bytes.
pub fn described(path: &Path, bytes: &[u8]) -> Result<Option<Description>> {
    Ok(Description::beside(path, bytes)?)
}

/// Parses the bytes of the file at `path`.
pub fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<bits::Model<'a>> {
    bits::Model::parse(bytes).with_context(|| format!("{} is not a model file this program reads", path.display()))
}

impl ModelFlags {
    /// Opens the model for token ids, without a tokenizer.
    pub fn open(&self) -> Result<Model> {
        self.open_with(TextOptions::new().need(Need::Ids), 1).map_err(explained)
    }

    /// Opens the model with its tokenizer, for this many threads.
    pub fn open_for(&self, text: &TextFlags, need: Need, threads: usize) -> Result<Model, Error> {
        self.open_with(text.options(need), threads)
    }

    fn open_with(&self, text: TextOptions, threads: usize) -> Result<Model, Error> {
        let builder = Model::builder().text(text).threads(threads);
        let builder = self.variant.into_iter().fold(builder, |builder, variant| builder.variant(variant));
        let model = builder.open(&self.model)?;
        model.notes().iter().for_each(|text| note(text));
        Ok(model)
    }
}
