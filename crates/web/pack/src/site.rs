//! The folder: its files, the list for the service worker, and its replacement on disk.

use crate::models::read;
use crate::{Flags, glue, models};
use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wasmparser::WasmFeatures;

/// The files of the page by relative path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Source folders of the page and the package.
const PAGE: &str = "crates/web/page";
const PACKAGE: &str = "crates/web/js";
/// The models that a first visit needs; the others are cached once they have been used.
const FIRST_MODEL: &str = "models/stories-byte/";

pub fn make(flags: &Flags) -> anyhow::Result<()> {
    check(&flags.out)?;
    let beside = |ending: &str| {
        let mut name = flags.out.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    let (new, old) = (beside(".new"), beside(".old"));
    for left in [&new, &old] {
        remove(left)?;
    }
    let scratch = new.join("scratch");
    let files = files(flags, &scratch)?;
    remove(&scratch)?;
    for (name, bytes) in &files {
        write(&new.join(name), bytes)?;
    }
    // A reader sees either the previous page or the new one.
    if flags.out.exists() {
        rename(&flags.out, &old)?;
    }
    rename(&new, &flags.out)?;
    remove(&old)
}

/// Rejects a folder that contains anything but an earlier page.
fn check(out: &Path) -> anyhow::Result<()> {
    ensure!(out.file_name().is_some(), "{} is not the name of a folder", out.display());
    let Ok(mut entries) = std::fs::read_dir(out) else {
        ensure!(!out.exists(), "{} is not a folder: name another", out.display());
        return Ok(());
    };
    let is_page = std::fs::read_to_string(out.join("sw.js")).is_ok_and(|text| text.contains("bitstate-${VERSION}"));
    ensure!(
        is_page || entries.next().is_none(),
        "{} has files that are not a BitState page: name a new folder, or empty this one",
        out.display()
    );
    Ok(())
}

fn files(flags: &Flags, scratch: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    add_folder(&flags.root.join(PAGE), "", &mut files)?;
    add_folder(&flags.root.join(PACKAGE), "bitstate/", &mut files)?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        files.insert(format!("bitstate/{licence}"), read(&flags.root.join(licence))?);
    }
    // Features of a browser without SIMD: WebAssembly 2.0 except SIMD, as in every browser since 2021.
    let plain = WasmFeatures::WASM2.difference(WasmFeatures::SIMD);
    let simd128 = plain | WasmFeatures::SIMD;
    let builds = [
        ("plain", &flags.plain, plain),
        ("simd128", &flags.simd128, simd128),
        ("relaxed_simd", &flags.relaxed_simd, simd128 | WasmFeatures::RELAXED_SIMD),
    ];
    let glued = builds.map(|(name, module, has)| Ok((name, glue::glue(module, has, &scratch.join(name))?)));
    let glued = glued.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let same = glue::same(&glued)?;
    files.insert("bitstate/bitstate.js".into(), same.script.clone().into_bytes());
    files.insert("bitstate/bitstate.d.ts".into(), same.types.clone().into_bytes());
    for (name, glued) in &glued {
        files.insert(format!("bitstate/builds/{name}.wasm"), glued.module.clone());
    }
    replace(&mut files, "bitstate/package.json", "@VERSION@", env!("CARGO_PKG_VERSION"))?;
    models::add(&flags.root, &mut files)?;
    let (version, list) = listed(&files);
    replace(&mut files, "sw.js", "@VERSION@", &version)?;
    replace(&mut files, "sw.js", "\"@FILES@\"", &serde_json::to_string_pretty(&list)?)?;
    // So that GitHub Pages serves the folder unchanged.
    files.insert(".nojekyll".into(), Vec::new());
    Ok(files)
}

/// The version, a hash over all files, and the list for the service worker: each file with its hash, and whether a first
/// visit needs it.
fn listed(files: &Files) -> (String, Value) {
    let mut version = Sha256::new();
    let mut list = Map::new();
    for (name, bytes) in files {
        let hash = Sha512::digest(bytes);
        version.update(name.as_bytes());
        version.update([0]);
        version.update(hash);
        let is_kept = !["sw.js", "bitstate/package.json"].contains(&name.as_str())
            && ![".d.ts", ".md", "LICENSE-MIT", "LICENSE-APACHE"].iter().any(|ending| name.ends_with(ending));
        if is_kept {
            let later = name.ends_with(".wasm") || name.starts_with("models/");
            let first = !later || name.starts_with(FIRST_MODEL) || name == "models/models.json";
            list.insert(name.clone(), json!({ "integrity": format!("sha512-{}", base64(&hash)), "first": first }));
        }
    }
    let version = version.finalize();
    (version.iter().take(8).map(|byte| format!("{byte:02x}")).collect(), Value::Object(list))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().enumerate().fold(0_u32, |word, (i, &byte)| word | u32::from(byte) << (16 - 8 * i));
        let digit =
            |i: usize| if i > group.len() { '=' } else { char::from(DIGITS[(word >> (18 - 6 * i)) as usize & 63]) };
        text.extend((0..4).map(digit));
    }
    text
}

/// Adds the files of a folder without subfolders.
fn add_folder(folder: &Path, prefix: &str, files: &mut Files) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).with_context(|| format!("{path:?} has no name"))?;
        files.insert(format!("{prefix}{name}"), read(&path)?);
    }
    Ok(())
}

/// Replaces a placeholder, which must occur exactly once in a file.
fn replace(files: &mut Files, name: &str, mark: &str, by: &str) -> anyhow::Result<()> {
    let bytes = files.get_mut(name).with_context(|| format!("there is no {name}"))?;
    let text = std::str::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
    if text.matches(mark).count() != 1 {
        bail!("{name} must contain {mark} exactly once");
    }
    *bytes = text.replacen(mark, by, 1).into_bytes();
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, base64, check, listed, replace};

    #[test]
    fn hashes_are_written_as_browsers_read_them() {
        for (bytes, text) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("\u{ff}~", "w79+")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_folder_with_other_files_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(check(folder.path()).is_ok(), "an empty folder is accepted");
        std::fs::write(folder.path().join("mine.txt"), "mine").expect("a file");
        let error = check(folder.path()).expect_err("mine").to_string();
        assert!(error.contains("not a BitState page"), "{error}");
        assert!(check(&folder.path().join("mine.txt")).is_err());
        std::fs::write(folder.path().join("sw.js"), "`bitstate-${VERSION}`").expect("a file");
        assert!(check(folder.path()).is_ok(), "an earlier page is accepted");
    }

    #[test]
    fn the_version_changes_with_every_byte_and_the_first_visit_needs_no_second_model() {
        let files = |byte: u8| -> Files {
            let names = ["index.html", "models/models.json", "models/stories-byte/model.bits", "models/x/model.bits"];
            names.into_iter().chain(["bitstate/builds/plain.wasm"]).map(|name| (name.into(), vec![byte])).collect()
        };
        let (version, list) = listed(&files(1));
        assert_ne!(version, listed(&files(2)).0);
        let first = |name: &str| list[name]["first"].as_bool();
        assert_eq!(first("index.html"), Some(true));
        assert_eq!(first("models/stories-byte/model.bits"), Some(true));
        assert_eq!(first("models/x/model.bits"), Some(false));
        assert_eq!(first("bitstate/builds/plain.wasm"), Some(false));
    }

    #[test]
    fn a_mark_that_is_missing_is_an_error() {
        let mut files: Files = [("sw.js".into(), b"a @V@".to_vec())].into();
        replace(&mut files, "sw.js", "@V@", "1").expect("once");
        assert_eq!(files["sw.js"], b"a 1");
        assert!(replace(&mut files, "sw.js", "@V@", "1").is_err());
    }
}
