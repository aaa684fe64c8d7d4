//! Builds with cargo, so that the result depends on the checkout alone.
//!
//! Cargo merges its configuration from every folder above the current one, from the user's home and from the
//! environment. Here it runs in the root of the file system, with the checkout's own `.cargo/config.toml` named on the
//! command line, a home without build settings, and a [declared environment](crate::workspace::programs::environment).
//! Paths of built programs come from cargo's messages; the harness never constructs them.

use crate::workspace::error::Error;
use crate::workspace::places::files::{make_folder, read_text, write_atomic};
use crate::workspace::places::folders::Workspace;
use crate::workspace::programs::environment;
use crate::workspace::programs::log::{Log, logged};
use crate::workspace::programs::tools::{Compiler, DEBIAN_CARGO, DEBIAN_RUSTC};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tables of the home's configuration that only affect registry access or output, not the build.
const HARMLESS: [&str; 13] = [
    "alias",
    "cache",
    "cargo-new",
    "credential-alias",
    "doc",
    "future-incompat-report",
    "http",
    "install",
    "net",
    "registries",
    "registry",
    "source",
    "term",
];

/// A cargo command of the toolchain that runs this harness, about a workspace.
///
/// # Errors
/// If the configuration of cargo's home cannot be read, or a copy without build settings cannot be made.
pub fn cargo(workspace: &Workspace, verb: &str) -> Result<Command, Error> {
    // Cargo sets this variable for the programs it runs.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    cargo_by(program.as_ref(), workspace, verb)
}

/// A command of the cargo at `program`, about a workspace.
///
/// # Errors
/// As [`cargo`].
pub fn cargo_by(program: &Path, workspace: &Workspace, verb: &str) -> Result<Command, Error> {
    let outside = Path::new("/.cargo/config.toml");
    if outside.exists() {
        let text = format!("{} is read by every build of this machine: remove it and try again", outside.display());
        return Err(Error::Refused(text));
    }
    let mut command = environment::command(program);
    if let Some(home) = home(workspace)? {
        command.env("CARGO_HOME", home);
    }
    let own = workspace.root.join(".cargo/config.toml");
    if own.is_file() {
        command.arg("--config").arg(own);
    }
    command.arg(verb).arg("--manifest-path").arg(workspace.root.join("Cargo.toml"));
    command.current_dir("/").env("CARGO_TARGET_DIR", &workspace.target).env("CARGO_TERM_COLOR", "never");
    Ok(command)
}

/// A cargo command of Debian's toolchain, allowed to build the library for a foreign target.
///
/// # Errors
/// As [`cargo`].
fn debian_cargo(workspace: &Workspace, verb: &str) -> Result<Command, Error> {
    let mut command = cargo_by(DEBIAN_CARGO.as_ref(), workspace, verb)?;
    command.env_remove("RUSTUP_TOOLCHAIN").env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}

/// A cargo command that builds for `triple` with the compiler that was found for it, and that compiler.
///
/// # Errors
/// If none was found, and as [`cargo`].
pub fn foreign_cargo(
    workspace: &Workspace,
    verb: &str,
    triple: &str,
    found: Option<Compiler>,
) -> Result<(Command, Compiler), Error> {
    let Some(compiler) = found else {
        return Err(Error::Refused(format!("no compiler for {triple} is installed: run `cargo xtask setup`")));
    };
    let mut command = match compiler {
        Compiler::Rustup => cargo(workspace, verb)?,
        Compiler::Debian => debian_cargo(workspace, verb)?,
    };
    command.args(["--target", triple]);
    Ok((command, compiler))
}

/// Space-separated flags, encoded as cargo takes them from the environment.
pub fn encoded(rustflags: &str) -> String {
    rustflags.split_whitespace().collect::<Vec<_>>().join("\x1f")
}

/// A replacement for cargo's home, if its configuration would change the build. It has everything of the real one
/// except those settings.
fn home(workspace: &Workspace) -> Result<Option<PathBuf>, Error> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    home.map_or(Ok(None), |home| without_build_settings(&home, &workspace.scratch().join("cargo-home")))
}

fn without_build_settings(home: &Path, copy: &Path) -> Result<Option<PathBuf>, Error> {
    // If both exist, cargo reads the one without an extension.
    let Some(path) = ["config", "config.toml"].map(|name| home.join(name)).into_iter().find(|path| path.is_file())
    else {
        return Ok(None);
    };
    let malformed = |message: String| Error::Malformed { path: path.clone(), message };
    let mut table: toml::Table = read_text(&path)?.parse().map_err(|e: toml::de::Error| malformed(e.to_string()))?;
    if table.keys().all(|name| HARMLESS.contains(&name.as_str())) {
        return Ok(None);
    }
    table.retain(|name, _| HARMLESS.contains(&name));
    let text = toml::to_string(&table).map_err(|error| malformed(error.to_string()))?;
    make_folder(copy)?;
    for entry in std::fs::read_dir(home).map_err(Error::io("list", home))? {
        let entry = entry.map_err(Error::io("list", home))?;
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        if from.ends_with("config") || from.ends_with("config.toml") {
            continue;
        }
        match std::fs::read_link(&to) {
            // A cache may have kept it from a machine with another home.
            Ok(linked) if linked != from => std::fs::remove_file(&to).map_err(Error::io("remove", &to))?,
            _ if to.symlink_metadata().is_ok() => continue,
            _ => {}
        }
        std::os::unix::fs::symlink(&from, &to).map_err(Error::io("link", &to))?;
    }
    write_atomic(&copy.join("config.toml"), text.as_bytes())?;
    Ok(Some(copy.to_path_buf()))
}

/// The tables of a checkout's own `.cargo/config.toml` that change the build; `None` if there are none.
pub fn own_build_settings(workspace: &Workspace) -> Option<String> {
    let text = std::fs::read_to_string(workspace.root.join(".cargo/config.toml")).ok()?;
    // Invalid TOML is reported by cargo, before anything is built.
    let mut table: toml::Table = text.parse().ok()?;
    // Environment variables of the checkout's programs are part of the commit, which identifies them.
    table.retain(|name, _| name != "env" && !HARMLESS.contains(&name));
    (!table.is_empty()).then(|| toml::to_string(&table).ok()).flatten()
}

/// The artifact that a build must produce.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The target's name in its package.
    pub name: &'a str,
    /// The extension of the file; empty for an executable.
    pub ending: &'a str,
}

/// Runs a cargo command that builds, and returns the path of the artifact.
///
/// # Errors
/// If the build fails, or cargo's messages do not name the artifact.
pub fn built(workspace: &Workspace, what: &str, command: &mut Command, wanted: Wanted) -> Result<PathBuf, Error> {
    command.arg("--message-format=json-render-diagnostics");
    let Log { stdout, path } = logged(workspace, what, command)?;
    let file = artifact(&stdout, wanted);
    file.ok_or_else(|| {
        let message = format!("cargo does not say where it put `{}`", wanted.name);
        Error::Malformed { path, message }
    })
}

/// Builds a package's program for this machine and returns its path.
///
/// # Errors
/// If the build fails, with the path of its log.
pub fn host_program(workspace: &Workspace, package: &str) -> Result<PathBuf, Error> {
    host_program_with(workspace, package, &[])
}

/// The same with additional cargo flags, such as `--features`.
///
/// # Errors
/// As [`host_program`].
pub fn host_program_with(workspace: &Workspace, package: &str, flags: &[&str]) -> Result<PathBuf, Error> {
    let name = if package == "bitstate-cli" { "bitstate" } else { package };
    let mut command = cargo(workspace, "build")?;
    command.args(["--release", "--package", package, "--bin", name]).args(flags);
    built(workspace, &format!("build {package}"), &mut command, Wanted { name, ending: "" })
}

/// The file of a target in cargo's messages ("JSON messages" in the Cargo book, "External tools").
fn artifact(messages: &str, wanted: Wanted) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        target: Option<Target>,
        #[serde(default)]
        filenames: Vec<PathBuf>,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let of_target = messages.filter(|message| {
        message.reason == "compiler-artifact"
            && message
                .target
                .as_ref()
                .is_some_and(|target| target.name.replace('-', "_") == wanted.name.replace('-', "_"))
    });
    let file = |message: Message| match wanted.ending {
        "" => message.executable,
        ending => message.filenames.into_iter().find(|file| file.extension().is_some_and(|found| found == ending)),
    };
    of_target.filter_map(file).next_back()
}

#[cfg(test)]
mod tests {
    use super::{Wanted, artifact, built, cargo, without_build_settings};
    use crate::workspace::places::files::write_atomic;
    use crate::workspace::places::folders::Workspace;
    use crate::workspace::programs::environment;
    use std::path::{Path, PathBuf};

    const PROGRAM: Wanted = Wanted { name: "probe", ending: "" };

    /// A workspace whose program prints how it was built.
    fn workspace(folder: &Path) -> Workspace {
        let root = folder.join("above/root");
        let put = |name: &str, text: &str| write_atomic(&root.join(name), text.as_bytes()).unwrap();
        put("Cargo.toml", "[package]\nname = \"probe\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        put("src/main.rs", "fn main() { println!(\"{} {} {}\", cfg!(hostile), cfg!(own), cfg!(debug_assertions)); }");
        Workspace { target: folder.join("target"), root }
    }

    fn said(workspace: &Workspace) -> String {
        let mut command = cargo(workspace, "build").unwrap();
        command.args(["--release", "--offline"]);
        let program = built(workspace, "probe", &mut command, PROGRAM).unwrap();
        String::from_utf8(environment::command(program).output().unwrap().stdout).unwrap()
    }

    #[test]
    fn configuration_above_a_checkout_changes_nothing_and_its_own_counts() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        let hostile = "[build]\nrustflags = [\"--cfg\", \"hostile\"]\ntarget = \"wasm32-unknown-unknown\"\n\
                       [profile.release]\ndebug-assertions = true\n";
        write_atomic(&folder.path().join("above/.cargo/config.toml"), hostile.as_bytes()).unwrap();
        assert_eq!(said(&workspace), "false false false\n");
        let own = "[build]\nrustflags = [\"--cfg\", \"own\"]\n";
        write_atomic(&workspace.root.join(".cargo/config.toml"), own.as_bytes()).unwrap();
        assert_eq!(said(&workspace), "false true false\n");
    }

    #[test]
    fn a_target_folder_of_which_a_part_was_lost_repairs_itself() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        let whole = said(&workspace);
        // Folders first, then their contents.
        for depth in 1..5 {
            let of_depth =
                |path: &&PathBuf| path.strip_prefix(&workspace.target).unwrap().components().count() == depth;
            for lost in below(&workspace.target).iter().filter(of_depth) {
                let removed = if lost.is_dir() { std::fs::remove_dir_all(lost) } else { std::fs::remove_file(lost) };
                // A rebuild since the listing may have removed it.
                if removed.is_ok() {
                    assert_eq!(said(&workspace), whole, "without {}", lost.display());
                }
            }
        }
    }

    /// Everything in a folder, at any depth.
    fn below(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { [below(&path), vec![path]].concat() } else { vec![path] }).collect()
    }

    #[test]
    fn build_settings_of_the_home_are_left_out_and_the_way_to_registries_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (home, copy) = (folder.path().join("home"), folder.path().join("copy"));
        let without = || without_build_settings(&home, &copy).unwrap();
        assert_eq!(without(), None, "there is no configuration");
        write_atomic(&home.join("registry/index"), b"kept").unwrap();
        write_atomic(&home.join("config.toml"), b"[net]\noffline = true\n").unwrap();
        assert_eq!(without(), None, "it changes no build");
        let both = "[net]\noffline = true\n[build]\ntarget = \"x\"\n[profile.release]\nopt-level = 1\n";
        write_atomic(&home.join("config.toml"), both.as_bytes()).unwrap();
        for _ in 0..2 {
            assert_eq!(without().as_deref(), Some(copy.as_path()));
            assert_eq!(std::fs::read_to_string(copy.join("config.toml")).unwrap(), "[net]\noffline = true\n");
            assert_eq!(std::fs::read(copy.join("registry/index")).unwrap(), b"kept");
        }
        // A link into another machine's home is broken here.
        std::fs::remove_file(copy.join("registry")).unwrap();
        std::os::unix::fs::symlink("/nowhere/registry", copy.join("registry")).unwrap();
        without();
        assert_eq!(std::fs::read(copy.join("registry/index")).unwrap(), b"kept");
        write_atomic(&home.join("config.toml"), b"[net\n").unwrap();
        let error = without_build_settings(&home, &copy).unwrap_err().to_string();
        assert!(error.contains("home/config.toml: "), "{error}");
    }

    #[test]
    fn the_file_is_the_one_that_cargo_names() {
        let messages = "Compiling\n{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"other\"},\"filenames\":[],\
            \"executable\":\"/a/other\"}\n{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"probe\"},\
            \"filenames\":[\"/b/probe.d\",\"/b/probe.wasm\"],\"executable\":\"/b/probe\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(artifact(messages, PROGRAM).unwrap(), Path::new("/b/probe"));
        assert_eq!(artifact(messages, Wanted { ending: "wasm", ..PROGRAM }).unwrap(), Path::new("/b/probe.wasm"));
        assert_eq!(artifact(messages, Wanted { name: "none", ending: "" }), None);
    }
}
