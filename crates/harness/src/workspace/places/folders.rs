//! The folders of a workspace.

use super::files::make_folder;
use crate::workspace::error::Error;
use crate::workspace::programs::process::owner::Identity;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The folder for temporary folders, below the scratch folder, with one folder per run.
pub(super) const FOLDER: &str = "tmp";

/// The folders of the workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The root, which contains `golden/` and `reports/`.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Workspace {
    /// Finds the workspace that contains the current folder.
    ///
    /// # Errors
    /// If the current folder is not inside a workspace.
    pub fn find() -> Result<Self, Error> {
        let here = std::env::current_dir().map_err(Error::io("find", Path::new(".")))?;
        let from_cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
        let is_root = |folder: &&Path| folder.join("golden").is_dir() && folder.join("xtask/Cargo.toml").is_file();
        let root = here.ancestors().find(is_root).or_else(|| from_cargo.ancestors().find(is_root));
        let root = root.ok_or_else(|| {
            Error::Refused(format!("{} is not inside the BitState workspace: go there and try again", here.display()))
        })?;
        let target = target(&here, root, std::env::var_os("CARGO_TARGET_DIR"));
        Ok(Workspace { root: root.to_path_buf(), target })
    }

    /// The folder of everything the harness generates that need not be kept.
    pub fn scratch(&self) -> PathBuf {
        self.target.join("bitstate")
    }

    /// The folder of this run's temporary folders, where they can be found if it is killed.
    pub fn temporary(&self) -> PathBuf {
        self.scratch().join(FOLDER).join(Identity::own().to_string())
    }

    /// A new temporary folder, removed when dropped.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn temporary_folder(&self) -> Result<tempfile::TempDir, Error> {
        let folder = self.temporary();
        make_folder(&folder)?;
        tempfile::tempdir_in(&folder).map_err(Error::io("make a folder in", &folder))
    }

    /// The folder of build logs.
    pub fn logs(&self) -> PathBuf {
        self.scratch().join("logs")
    }

    /// The target folder of a build with other flags than the harness.
    pub fn own_build(&self, name: &str) -> PathBuf {
        self.scratch().join("build").join(name)
    }

    /// Model files generated from presets.
    pub fn models(&self) -> PathBuf {
        self.scratch().join("models")
    }

    /// The golden streams.
    pub fn streams(&self) -> PathBuf {
        self.root.join("golden/streams")
    }

    /// Published reports.
    pub fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// A path relative to the root, if it is inside.
    pub fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// Cargo's target folder as an absolute path: a relative one is relative to the folder that cargo was started in.
fn target(here: &Path, root: &Path, variable: Option<OsString>) -> PathBuf {
    let folder = variable.filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(|| root.join("target"), |folder| here.join(folder));
    // `crates/../target` is the same folder, but a longer path, which would change the counters of programs that get
    // it.
    let indirect = folder.components().any(|part| part == Component::ParentDir);
    folder.canonicalize().ok().filter(|_| indirect).unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::super::files::make_folder;
    use super::target;
    use std::path::Path;

    #[test]
    fn the_target_folder_is_absolute_and_from_where_cargo_was_started() {
        let of = |variable: Option<&str>| target(Path::new("/w/crates"), Path::new("/w"), variable.map(Into::into));
        assert_eq!(of(None), Path::new("/w/target"));
        assert_eq!(of(Some("out")), Path::new("/w/crates/out"));
        assert_eq!(of(Some("/elsewhere")), Path::new("/elsewhere"));
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        make_folder(&root.join("crates")).unwrap();
        make_folder(&root.join("target")).unwrap();
        assert_eq!(target(&root.join("crates"), &root, Some("../target".into())), root.join("target"));
        // Not the current folder, which an empty name would mean.
        assert_eq!(of(Some("")), Path::new("/w/target"));
    }
}
