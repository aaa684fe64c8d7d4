//! Sizes of build artifacts.

use crate::records::Row;
use crate::runs::plan::Plan;
use crate::targets::ModelFile;
use crate::workspace::error::Error;

/// Sizes of build artifacts, as files and by section. The firmware's sections are those of an image with the first
/// timed model that fits.
///
/// # Errors
/// If a file that was just built cannot be read.
pub fn artifacts(plan: &Plan) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let mut push = |target: &str, variant: Option<&str>, name: &str, sizes: Vec<(&str, u64)>| {
        rows.extend(sizes.into_iter().map(|(section, bytes)| Row::Artifact {
            target: target.into(),
            variant: variant.map(str::to_string),
            name: name.into(),
            section: section.into(),
            bytes,
        }));
    };
    let timed: Vec<&ModelFile> =
        plan.cases.iter().filter(|case| case.bench).filter_map(|case| plan.model(case)).collect();
    for (&target, runner) in &plan.built.runners {
        for artifact in runner.artifacts(&timed)? {
            push(target, artifact.variant, artifact.name, artifact.sizes);
        }
    }
    Ok(rows)
}
