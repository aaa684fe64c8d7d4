//! What is kept of published runs: the pages with their charts of the newest one and of the one that README.md shows;
//! of every other the records and the Markdown page. So `reports/` grows by little more than the records of a run.

use super::files::{outdated, render};
use super::leftover::Holds;
use super::shown::shown;
use super::stored::{folders, started};
use crate::records::{read_parts, records_of};
use crate::report::history::published::Published;
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use std::path::{Path, PathBuf};

/// Which published runs keep their pages.
#[derive(Debug, Clone)]
pub struct Kept {
    reports: PathBuf,
    with_pages: Vec<PathBuf>,
}

impl Kept {
    /// Reads the published runs.
    ///
    /// # Errors
    /// If the records of one cannot be read.
    pub fn load(workspace: &Workspace) -> Result<Self, Error> {
        let mut runs = Vec::new();
        for folder in folders(workspace) {
            let parts = read_parts(&records_of(&folder))?;
            runs.push((started(&parts).to_string(), folder));
        }
        let newest = runs.into_iter().max().map(|(_, folder)| folder);
        let with_pages = newest.into_iter().chain(shown(workspace)?.folder).collect();
        Ok(Kept { reports: workspace.reports(), with_pages })
    }

    /// How much a run's folder holds.
    pub fn of(&self, folder: &Path) -> Holds {
        let is = |other: &Path| folder.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(a, b)| a == b);
        if self.with_pages.iter().any(|other| is(other)) {
            Holds::Pages
        } else if is_in(folder, &self.reports) {
            Holds::Records
        } else {
            Holds::Everything
        }
    }

    /// Brings a run's folder into its required state.
    ///
    /// # Errors
    /// As [`render`].
    pub fn render(&self, folder: &Path, published: &Published) -> Result<(), Error> {
        render(folder, published, self.of(folder))
    }

    /// What is not current in a run's folder, as messages that begin with the file's name.
    ///
    /// # Errors
    /// As [`outdated`].
    pub fn outdated(&self, folder: &Path, published: &Published) -> Result<Vec<String>, Error> {
        outdated(folder, published, self.of(folder))
    }
}

/// Whether a folder is inside another.
fn is_in(folder: &Path, parent: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(folder).and_then(|folder| folder.parent().map(Path::to_path_buf)).is_some_and(|of| Some(of) == real(parent))
}

/// Brings every published run's folder into its required state, after one was added.
///
/// # Errors
/// If the records of one cannot be read, or a file cannot be written or removed.
pub fn keep(workspace: &Workspace, published: &Published) -> Result<(), Error> {
    let kept = Kept::load(workspace)?;
    folders(workspace).iter().try_for_each(|folder| kept.render(folder, published))
}
