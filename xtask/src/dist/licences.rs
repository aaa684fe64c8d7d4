//! The licences of all code in the command.

use anyhow::{Context as _, ensure};
use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::cargo::cargo;
use bitstate_harness::workspace::log::logged;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Lower-case prefixes of the names of files with a licence or a notice.
const NAMES: [&str; 4] = ["licen", "copying", "notice", "unlicense"];

/// Lists every external crate in the command with its licence, and its licence texts. A text shared by several crates is
/// listed once.
pub fn texts(workspace: &Workspace) -> anyhow::Result<String> {
    let mut tree = cargo(workspace, "tree")?;
    tree.args(["--locked", "--package", "bitstate-cli", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let tree = logged(workspace, "crates of the command", &mut tree)?.stdout;
    let used: BTreeSet<String> = tree.lines().filter_map(named).collect();
    ensure!(used.len() > 20, "`cargo tree` names {} crates, which cannot be all", used.len());
    let mut metadata = cargo(workspace, "metadata")?;
    metadata.args(["--locked", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&logged(workspace, "metadata", &mut metadata)?.stdout)?;

    let mut list = String::from("bitstate contains these crates by others:\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
    let text_of = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_string();
    let mut packages: Vec<&Value> = packages.iter().filter(|package| !package["source"].is_null()).collect();
    packages.sort_by_key(|package| text_of(package, "name"));
    for package in packages {
        let name = format!("{} {}", text_of(package, "name"), text_of(package, "version"));
        if !used.contains(&name) {
            continue;
        }
        writeln!(list, "  {name}: {}", text_of(package, "license"))?;
        let manifest = text_of(package, "manifest_path");
        let folder = Path::new(&manifest).parent().context("a manifest has a parent folder")?;
        for text in found(folder)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, crates) in texts {
        write!(list, "\n{}\n{}:\n\n{}\n", "-".repeat(80), crates.join(", "), text.trim_end())?;
    }
    Ok(list)
}

/// `NAME VERSION` of a line of `cargo tree`; `None` for crates of this workspace.
fn named(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let own = words.any(|word| word.starts_with("(/"));
    (!own).then(|| format!("{name} {version}"))
}

/// The licence texts in a crate's folder, sorted by file name.
fn found(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for file in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_file() && NAMES.iter().any(|begin| name.starts_with(begin)) {
            files.push(path);
        }
    }
    files.sort();
    files
        .iter()
        .map(|path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn crates_of_others_are_named() {
        assert_eq!(named("clap v4.6.9"), Some("clap 4.6.9".into()));
        assert_eq!(named("clap_derive v4.6.9 (proc-macro) (*)"), Some("clap_derive 4.6.9".into()));
        assert_eq!(named("bitstate v0.1.0 (/home/x/bitstate/crates/bitstate)"), None);
        assert_eq!(named(""), None);
    }
}
