//! Sizes of what was built.

use crate::error::Error;
use crate::records::Row;
use crate::runner::Runner;
use crate::sections;
use crate::verify::Plan;
use std::path::Path;

/// Sizes of what was built, as files and by section. The firmware's sections are those of an image with the first
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
    for (&target, runner) in &plan.built.runners {
        match runner {
            Runner::Native { program } => push(target, None, "bitstate-runner-native", file_sizes(program)?),
            Runner::Wasm { guests, .. } => {
                for (variant, guest) in guests {
                    push(target, Some(variant), "guest.wasm", file_sizes(guest)?);
                }
            }
            Runner::Xtensa(xtensa) => {
                let timed = plan.cases.iter().filter(|case| case.bench).filter_map(|case| plan.model(case));
                let sizes = timed.filter_map(|model| xtensa.sections(model)).next();
                push(target, None, "firmware", sizes.unwrap_or_default());
            }
        }
    }
    Ok(rows)
}

fn file_sizes(path: &Path) -> Result<Vec<(&'static str, u64)>, Error> {
    let file = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut all = vec![("file", file.len() as u64)];
    all.extend(sections::sizes(&file).into_iter().flatten());
    Ok(all)
}
