//! All published runs as a static site.

use super::files::render;
use super::leftover::Holds;
use super::stored::{folders, started};
use crate::records::{self, PACKED, RECORDS, read_parts, records_of};
use crate::report::history::published::Published;
use crate::report::pages::site::{self, Entry, GENERATOR};
use crate::report::summary::report::Report;
use crate::workspace::error::Error;
use crate::workspace::{Workspace, make_folder, process, write_atomic};
use std::path::{Path, PathBuf};

/// Writes the site of all published runs into a folder that is new, empty or an earlier site. It is made beside that
/// folder and then takes its place.
///
/// # Errors
/// If there is no published run, if the folder has something else in it, if records cannot be read or a file cannot be
/// written.
pub fn write(workspace: &Workspace, out: &Path, published: &Published) -> Result<usize, Error> {
    let runs = folders(workspace);
    if runs.is_empty() {
        let text = "no run is published: `cargo xtask bench --publish NAME` makes one";
        return Err(Error::Refused(text.into()));
    }
    let replaces = require_ours(out)?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(parent)?;
    let made = tempfile::Builder::new().prefix(".bitstate-site-").tempdir_in(parent);
    let made = made.map_err(Error::io("write into", parent))?;
    let mut entries = Vec::new();
    for folder in runs {
        if process::interrupted() {
            return Err(Error::Interrupted);
        }
        entries.push(one(&folder, made.path(), published)?);
    }
    entries.sort_by(|a, b| b.0.cmp(&a.0));
    let entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
    write_atomic(&made.path().join("index.html"), site::page(&entries)?.as_bytes())?;
    if replaces {
        std::fs::remove_dir_all(out).map_err(Error::io("replace", out))?;
    }
    readable(made.path())?;
    let made = made.keep();
    std::fs::rename(&made, out).map_err(Error::io("write", out)).inspect_err(|_| {
        let _ = std::fs::remove_dir_all(&made);
    })?;
    Ok(entries.len())
}

/// Makes everything of a run; returns it with the time of its start.
fn one(folder: &Path, site: &Path, published: &Published) -> Result<(String, Entry), Error> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place: PathBuf = site.join(&name);
    records::unpack(folder, &place)?;
    render(&place, published, Holds::Pages)?;
    let parts = read_parts(&records_of(&place))?;
    let mut report = Report::of_parts(&parts);
    report.history = published.until(&parts);
    let packed = place.join(PACKED).is_file();
    let records = if packed { PACKED } else { RECORDS }.to_string();
    Ok((started(&parts).to_string(), Entry { folder: name, records, report }))
}

/// Whether a folder has an earlier site, which may be replaced.
fn require_ours(out: &Path) -> Result<bool, Error> {
    let Ok(mut entries) = std::fs::read_dir(out) else {
        return match out.symlink_metadata() {
            Ok(_) => Err(Error::Refused(format!("{} is not a folder", out.display()))),
            Err(_) => Ok(false),
        };
    };
    let page = std::fs::read_to_string(out.join("index.html")).unwrap_or_default();
    if entries.next().is_some() && !page.contains(GENERATOR) {
        let text = format!("{} has files that are not those of a site: name a new or an empty folder", out.display());
        return Err(Error::Refused(text));
    }
    Ok(true)
}

/// A temporary folder is private to its owner; a site is for everyone.
fn readable(folder: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder, mode).map_err(Error::io("write", folder))?;
    }
    Ok(())
}
