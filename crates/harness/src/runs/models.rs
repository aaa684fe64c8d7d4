//! The models that cases run on: stored or generated.

use crate::definitions::golden::{Model, Source};
use crate::targets::{ModelFile, model_file};
use crate::workspace::cargo::host_program;
use crate::workspace::error::Error;
use crate::workspace::log::logged;
use crate::workspace::{Workspace, environment, make_folder, temporary_file};
use std::path::Path;

/// Finds or generates the models of these names.
///
/// A model of a preset is always regenerated: it takes a moment, and an old file would hide a change of the generator.
///
/// # Errors
/// If a stored file is missing or generating one fails.
pub fn models(workspace: &Workspace, models: &[Model], wanted: &[&str]) -> Result<Vec<ModelFile>, Error> {
    let mut files = Vec::new();
    for model in models.iter().filter(|model| wanted.contains(&model.name.as_str())) {
        let path = match &model.source {
            Source::File(path) => workspace.root.join(path),
            Source::Synthetic { preset, seed, format } => {
                let path = workspace.models().join(format!("{}.bits", model.name));
                synthesise(workspace, &path, preset, *seed, format)?;
                path
            }
        };
        files.push(model_file(&model.name, &path)?);
    }
    Ok(files)
}

fn synthesise(workspace: &Workspace, path: &Path, preset: &str, seed: u64, format: &str) -> Result<(), Error> {
    let program = host_program(workspace, "bitstate-cli")?;
    make_folder(&workspace.models())?;
    let part = temporary_file(&workspace.models())?;
    let mut command = environment::command(program);
    command
        .args(["synth", "--preset", preset, "--seed", &seed.to_string(), "--format", format])
        .arg("--out")
        .arg(part.path());
    logged(workspace, &format!("make model {preset}"), &mut command)?;
    // The name, not the open file: `synth` replaces the file.
    part.into_temp_path().persist(path).map_err(|error| Error::io("rename", &error.path)(error.error))
}
