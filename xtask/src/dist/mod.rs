//! `cargo xtask dist`: the release archive.

mod archive;
mod licences;

use anyhow::{Context as _, ensure};
use archive::Entry;
use bitstate_harness::Exit;
use bitstate_harness::workspace::cargo::{Wanted, built, cargo};
use bitstate_harness::workspace::environment;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::workspace::{Workspace, make_folder, write_atomic};
use std::fs;
use std::path::{Path, PathBuf};

/// Files of the repository and their names in the archive. The model is the smallest story model.
const FILES: [(&str, &str); 7] = [
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("golden/models/stories-byte/README.md", "stories-byte/README.md"),
    ("golden/models/stories-byte/model.bits", "stories-byte/model.bits"),
    ("golden/models/stories-byte/model.bits.json", "stories-byte/model.bits.json"),
];
/// Largest size of the command in bytes.
const LARGEST: u64 = 5_000_000;

/// Builds the command and the other files, and packs them. The same commit and compiler give the same bytes in every
/// checkout.
pub fn run() -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let program = program(&workspace)?;
    let size = fs::metadata(&program)?.len();
    ensure!(size < LARGEST, "{} has {size} bytes, but must have fewer than {LARGEST}", program.display());
    let host = host(&workspace)?;
    let name = format!("bitstate-{}-{host}", env!("CARGO_PKG_VERSION"));
    let folder = workspace.target.join("dist-archive");
    make_folder(&folder)?;
    let pages = folder.join("pages");
    make_pages(&workspace, &pages)?;

    let mut entries = vec![Entry::program("bitstate", fs::read(&program)?)];
    for (from, to) in FILES {
        let path = workspace.root.join(from);
        entries.push(Entry::file(to, fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?));
    }
    for part in ["man", "completions"] {
        for file in fs::read_dir(pages.join(part))? {
            let file = file?;
            let name = file.file_name().into_string().map_err(|name| anyhow::anyhow!("{name:?} is not UTF-8"))?;
            entries.push(Entry::file(&format!("{part}/{name}"), fs::read(file.path())?));
        }
    }
    entries.push(Entry::file("THIRD-PARTY.txt", licences::texts(&workspace)?.into_bytes()));
    let archive = archive::pack(&name, entries)?;
    let path = folder.join(format!("{name}.tar.gz"));
    write_atomic(&path, &archive)?;
    try_out(&workspace, &path, &folder.join("tried"))?;
    println!("{}: {} bytes, the command {size}", path.display(), archive.len());
    Ok(Exit::Pass)
}

/// Builds the command with the profile `dist`, without paths of this machine in it.
fn program(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("there is no home folder")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = [remap(&workspace.root, "bitstate"), remap(&home, "cargo")];
    let mut command = cargo(workspace, "build")?;
    command.args(["--profile", "dist", "--locked", "--package", "bitstate-cli", "--bin", "bitstate"]);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    Ok(built(workspace, "build dist", &mut command, Wanted { name: "bitstate", ending: "" })?)
}

/// The compiler's triple of this machine.
fn host(workspace: &Workspace) -> anyhow::Result<String> {
    let mut rustc = environment::command("rustc");
    let said = logged(workspace, "host", rustc.arg("-vV"))?.stdout;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_string())
}

fn make_pages(workspace: &Workspace, folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let mut command = cargo(workspace, "run")?;
    command.args(["--release", "--locked", "--package", "bitstate-cli", "--example", "pages", "--"]).arg(folder);
    logged(workspace, "pages", &mut command)?;
    Ok(())
}

/// Unpacks the archive and generates a story with it.
fn try_out(workspace: &Workspace, archive: &Path, folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    archive::unpack(&fs::read(archive)?, folder)?;
    let root = fs::read_dir(folder)?.next().context("the archive is empty")??.path();
    let mut command = environment::command(root.join("bitstate"));
    command.current_dir(&root).args(["generate", "--model", "stories-byte/model.bits", "--prompt", "Once"]);
    let told = logged(workspace, "try the archive", command.args(["--seed", "8", "--max-tokens", "40"]))?.stdout;
    ensure!(told.len() > 20, "the archive's command only printed {told:?}");
    Ok(fs::remove_dir_all(folder)?)
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_file_is_there_under_its_name() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (from, to) in FILES {
            assert!(root.join(from).is_file() && from.ends_with(to), "{from} {to}");
        }
    }
}
