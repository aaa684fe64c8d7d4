//! What the subcommands that run a model have in common.

use anyhow::{Context, Result, anyhow};
use bitstate_engine::{Engine, EngineError};
use bitstate_kernels::Variant;
use bitstate_model::{AlignedBytes, Model, ReadError};
use bitstate_tokenizer::Description;
use std::path::{Path, PathBuf};

/// A model and the kernels to run it on.
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
    format!("Kernel variant to force: {names}; the fastest that this machine has if not given")
}

/// The bytes of a file.
pub fn read(path: &Path) -> Result<AlignedBytes> {
    AlignedBytes::read_model(path).map_err(|error| match error {
        ReadError::Io(error) => anyhow!("cannot read {}: {error}", path.display()),
        error => anyhow!("{} is not a model file this program reads: {error}", path.display()),
    })
}

/// The description beside the model at `path`, which must be of these bytes.
pub fn described(path: &Path, bytes: &[u8]) -> Result<Option<Description>> {
    Ok(Description::beside(path, bytes)?)
}

/// Parses the bytes of the file at `path`.
pub fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Model<'a>> {
    Model::parse(bytes).with_context(|| format!("{} is not a model file this program reads", path.display()))
}

impl ModelFlags {
    /// The bytes of the file.
    pub fn read(&self) -> Result<AlignedBytes> {
        read(&self.model)
    }

    /// The description beside the file, whose bytes are given.
    pub fn described(&self, bytes: &[u8]) -> Result<Option<Description>> {
        described(&self.model, bytes)
    }

    /// An engine on the bytes of the file.
    pub fn engine<'a>(&self, bytes: &'a [u8]) -> Result<Engine<'a>> {
        let model = parse(&self.model, bytes)?;
        let variant = self.variant.unwrap_or_else(Variant::best);
        Engine::new(&model, variant).map_err(|error| {
            let hint = match error {
                EngineError::Unavailable(_) => "; without --variant the fastest that runs here is taken",
                EngineError::TooWide { .. } => "",
            };
            anyhow!("cannot run {}: {error}{hint}", self.model.display())
        })
    }
}
