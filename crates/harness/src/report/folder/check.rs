//! Checks that everything generated from published records is current.

use super::kept::Kept;
use super::shown::{Shown, shown};
use crate::records::{read_parts, records_of};
use crate::report::history::published::Published;
use crate::report::pages::markdown;
use crate::report::summary::report::Report;
use crate::workspace::error::Error;
use crate::workspace::{Workspace, read_text};
use std::path::{Path, PathBuf};

/// The README generated from the published runs.
#[derive(Debug)]
pub struct Readme {
    /// Its text; none if no published run may be shown.
    pub text: Option<String>,
    /// The run it shows, and why not the others.
    pub shown: Shown,
}

/// Generates the README from the run that it must show.
///
/// # Errors
/// If the README has no block for the results, or the records of a run cannot be read.
pub fn readme(workspace: &Workspace) -> Result<Readme, Error> {
    let shown = shown(workspace)?;
    let Some(folder) = &shown.folder else { return Ok(Readme { text: None, shown }) };
    let text = read_text(&workspace.root.join("README.md"))?;
    let place = PathBuf::from(workspace.show(folder));
    let report = Report::of_parts(&read_parts(&records_of(folder))?);
    let mut beside = Vec::new();
    for folder in &shown.beside {
        beside.push((Report::of_parts(&read_parts(&records_of(folder))?), PathBuf::from(workspace.show(folder))));
    }
    Ok(Readme { text: Some(markdown::readme(&text, (&report, &place), &beside)?), shown })
}

/// What is not current, as messages: files of the folders, and the README, whose table and charts are those of the
/// newest full report. Empty if everything is.
///
/// # Errors
/// If records cannot be read or a chart cannot be drawn.
pub fn stale(workspace: &Workspace, folders: &[PathBuf], published: &Published) -> Result<Vec<String>, Error> {
    let mut stale = Vec::new();
    let kept = Kept::load(workspace)?;
    for folder in folders {
        let show = |words: String| format!("{}/{words}", workspace.show(folder));
        stale.extend(kept.outdated(folder, published)?.into_iter().map(show));
    }
    let Readme { text, shown } = readme(workspace)?;
    match (text, shown.folder) {
        (Some(current), Some(folder)) => {
            if current != read_text(&workspace.root.join("README.md"))? {
                stale.push(format!("README.md, which must show the results of {}", workspace.show(&folder)));
            }
            // The charts in the README are files of that folder.
            let missing = |link: &str| !workspace.root.join(link).is_file();
            let missing = links(&current).filter(|link| missing(link));
            stale.extend(missing.map(|link| format!("{link}, which README.md shows")));
        }
        _ if !shown.others.is_empty() && markdown::has_results(&read_text(&workspace.root.join("README.md"))?)? => {
            stale.push("README.md, which shows results although no published run may be shown".into());
        }
        _ => {}
    }
    stale.sort();
    stale.dedup();
    Ok(stale)
}

/// Files of pictures in a text.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| Path::new(link).extension().is_some_and(|extension| extension == "svg" || extension == "png"))
}
