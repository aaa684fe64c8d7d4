//! The tools that builds and runs need, and finding them.

use crate::workspace::programs::environment::command;
use crate::workspace::programs::process::{Limits, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A required tool, from a stanza of `ci/targets.toml`.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// The name by which targets refer to it.
    pub name: &'static str,
    /// A description for users.
    pub title: &'static str,
    /// Debian packages that contain it; empty if only rustup has it.
    pub packages: Vec<&'static str>,
    /// The name of its version in records, if anything depends on it.
    pub record: Option<&'static str>,
    /// How it is found.
    pub probe: Probe,
}

/// How a tool is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A program on the path; its version is the line of `--version` that contains `mark`.
    Program {
        /// The file's name.
        name: &'static str,
        /// See above.
        mark: &'static str,
    },
    /// The standard library of a triple, for the toolchain that runs this harness.
    Library {
        /// The triple.
        triple: &'static str,
        /// Or Debian's compiler, which builds the standard library of a foreign triple itself.
        or_debian: bool,
    },
    /// Python with a module of its standard library, which Debian packages separately.
    PythonModule {
        /// The module's name.
        name: &'static str,
    },
    /// Debian's `rustc-web` and `cargo-web`, whose LLVM has the Xtensa back end.
    DebianRust,
    /// The source of the standard library for Debian's compiler.
    RustSource,
}

/// An installed tool.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
}

/// Which compiler builds for a triple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiler {
    /// The toolchain that runs this harness; it has the standard library of the target.
    Rustup,
    /// Debian's, which builds the standard library itself.
    Debian,
}

/// The compiler that cargo uses in the declared environment.
const RUSTC: &str = "rustc";
/// Debian's compiler.
pub const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Debian's cargo.
pub const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Oldest compiler that builds the workspace, as in `Cargo.toml`.
const OLDEST_RUST: (u32, u32) = (1, 95);

impl Tool {
    /// Finds the tool.
    pub fn find(&self) -> Option<Found> {
        match self.probe {
            Probe::Program { name, mark } => program(name, mark),
            Probe::Library { triple, or_debian: false } => library(triple),
            Probe::Library { triple, or_debian: true } => found_compiler(triple).map(|(_, found)| found),
            Probe::PythonModule { name } => python_module(name),
            Probe::DebianRust => debian_rust(),
            Probe::RustSource => rust_source(),
        }
    }

    /// The triple to install with `rustup target add`, if that is what is missing.
    pub fn rustup_target(&self) -> Option<&'static str> {
        match self.probe {
            Probe::Library { triple, .. } => Some(triple),
            _ => None,
        }
    }
}

/// The compiler for a foreign triple: rustup's if it has the standard library, else Debian's.
pub fn compiler(triple: &str) -> Option<Compiler> {
    found_compiler(triple).map(|(compiler, _)| compiler)
}

fn found_compiler(triple: &str) -> Option<(Compiler, Found)> {
    let rustup = library(triple).map(|found| (Compiler::Rustup, found));
    rustup.or_else(|| debian_for(triple).map(|found| (Compiler::Debian, found)))
}

/// Debian's compiler, if it can build for a foreign triple.
pub fn debian_compiler(triple: &str) -> Option<Compiler> {
    debian_for(triple).map(|_| Compiler::Debian)
}

fn debian_for(triple: &str) -> Option<Found> {
    let rust = debian_rust()?;
    rust_source()?;
    if triple.starts_with("wasm") {
        program("wasm-ld-22", "LLD")?;
    }
    Some(rust)
}

/// The toolchain that runs this harness, if it has the standard library of a triple.
fn library(triple: &str) -> Option<Found> {
    let sysroot = said(command(RUSTC).args(["--print", "sysroot"]))?;
    Path::new(sysroot.trim()).join("lib/rustlib").join(triple).join("lib").is_dir().then_some(())?;
    Some(Found { path: RUSTC.into(), version: rustc_version()? })
}

/// The version of the compiler that builds for this machine.
pub fn rustc_version() -> Option<String> {
    said(command(RUSTC).arg("--version")).map(|version| version.trim().to_string())
}

fn debian_rust() -> Option<Found> {
    Path::new(DEBIAN_CARGO).is_file().then_some(())?;
    let version = said(command(DEBIAN_RUSTC).arg("--version"))?;
    let number = version.split_whitespace().nth(1)?;
    let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
    let found = (parts.next()??, parts.next()??);
    (found >= OLDEST_RUST).then(|| Found { path: DEBIAN_RUSTC.into(), version: version.trim().to_string() })
}

fn rust_source() -> Option<Found> {
    let sysroot = said(command(DEBIAN_RUSTC).args(["--print", "sysroot"]))?;
    let path = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    path.join("core/src/lib.rs").is_file().then(|| Found { path, version: "matches rustc-web".into() })
}

fn python_module(name: &str) -> Option<Found> {
    let found = program("python3", "Python")?;
    said(command(&found.path).args(["-c", &format!("import {name}")]))?;
    Some(found)
}

/// A program on the path; its version is the first line of `--version` that contains `mark`.
pub fn program(name: &str, mark: &str) -> Option<Found> {
    let folders = std::env::var_os("PATH")?;
    let path = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())?;
    let text = said(command(&path).arg("--version"))?;
    let line = text.lines().find(|line| line.contains(mark)).or_else(|| text.lines().next()).unwrap_or("");
    Some(Found { path, version: line.trim().to_string() })
}

/// The output of a short command, if it succeeds.
pub(crate) fn said(command: &mut Command) -> Option<String> {
    let limits = Limits { time: Duration::from_secs(60), output: 16 << 20 };
    let output = run(command, b"", limits).ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
