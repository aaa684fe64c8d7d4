//! Whether everything that is made from published records is what they give.

use super::history::Published;
use super::{markdown, newest, outdated, read};
use crate::error::Error;
use crate::workspace::{Workspace, read_text};
use std::path::{Path, PathBuf};

/// The README as the newest published report gives it, and that report's folder; none where nothing is published.
///
/// # Errors
/// If the README has no block for the results, or a report cannot be read.
pub fn readme(workspace: &Workspace) -> Result<Option<(String, PathBuf)>, Error> {
    let Some(newest) = newest(workspace)? else { return Ok(None) };
    let text = read_text(&workspace.root.join("README.md"))?;
    let shown = PathBuf::from(workspace.show(&newest));
    Ok(Some((markdown::readme(&text, &read(&newest)?, &shown)?, newest)))
}

/// What is not current, in words: files of the folders, and the README whose table and charts are the newest report's.
/// With none, everything is.
///
/// # Errors
/// If records cannot be read or a chart not be drawn.
pub fn stale(workspace: &Workspace, folders: &[PathBuf], published: &Published) -> Result<Vec<String>, Error> {
    let mut stale = Vec::new();
    for folder in folders {
        let show = |words: String| format!("{}/{words}", workspace.show(folder));
        stale.extend(outdated(folder, published)?.into_iter().map(show));
    }
    if let Some((current, newest)) = readme(workspace)? {
        let text = read_text(&workspace.root.join("README.md"))?;
        let newest = workspace.show(&newest);
        if current != text {
            stale.push(format!("README.md, whose newest report is {newest}"));
        }
        // The charts that a reader of the README sees are files of that folder.
        let missing = |link: &str| !workspace.root.join(link).is_file();
        stale.extend(links(&current).filter(|link| missing(link)).map(|link| format!("{link}, which README.md shows")));
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
