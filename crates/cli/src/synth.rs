//! `bitstate synth`: a model file made from a seed.

use anyhow::{Context, Result};
use bitstate_model::{Preset, Version, synthetic};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Make a model file with seeded random weights: for tests and timings, not for text.
///
/// The same preset, seed and format give the same bytes on every machine.
#[derive(clap::Args)]
pub struct Flags {
    /// Shapes of the model: default, byte, large, small.
    #[arg(long, value_name = "NAME", value_parser = Preset::by_name)]
    preset: Preset,
    /// Seed of the weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Version of the BITS format: 1.0, 1.1 or 1.2.
    #[arg(long, value_name = "VERSION", default_value = "1.2", value_parser = version)]
    format: Version,
    /// Where to write it.
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
    write_whole(&flags.out, &bytes)?;
    writeln!(io::stdout(), "{}: {} bytes", flags.out.display(), bytes.len())?;
    Ok(())
}

/// Writes beside the file, then renames: a reader, or a Ctrl-C, never meets half of it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    // A device or a pipe is written to; a file in its place would be the end of it.
    if fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir()) {
        let wrote = fs::File::options().write(true).open(path).and_then(|mut file| file.write_all(bytes));
        return wrote.with_context(|| format!("cannot write {}", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary(folder).with_context(|| format!("cannot write into {}", folder.display()))?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))?;
    file.persist(path).map_err(|failed| failed.error).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// A new file in `folder` with the rights that any new file has: a temporary one is its owner's alone otherwise.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
