//! WebAssembly modules: the guests of the kinds that host them, and the library of the page.

use super::super::kind::{Artifact, Variant};
use super::super::request::RunError;
use super::process::file_sizes;
use crate::workspace::Workspace;
use crate::workspace::cargo::{Wanted, built, encoded, foreign_cargo};
use crate::workspace::error::Error;
use crate::workspace::tools::{Compiler, compiler, debian_compiler};
use bitstate_protocol::{Digest, Job};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A module to build.
#[derive(Debug, Clone, Copy)]
pub struct Module<'a> {
    /// Its package.
    pub package: &'a str,
    /// The profile of its build.
    pub profile: &'a str,
    /// Target triple.
    pub triple: &'a str,
    /// Compiler flags, separated by spaces.
    pub rustflags: &'a str,
    /// Cargo features, separated by spaces.
    pub features: &'a str,
    /// Whether it is downloaded, so that its size matters, and uses the standard library, not only `core` and `alloc`.
    pub page: bool,
    /// The name of its build folder: builds of other flags in one folder would undo each other.
    pub folder: &'a str,
}

/// Builds a module and returns its path.
///
/// # Errors
/// If there is no compiler for the triple, or the build fails; the message names the log.
pub fn module(workspace: &Workspace, module: &Module<'_>) -> Result<PathBuf, Error> {
    let &Module { package, profile, triple, rustflags, features, page, folder } = module;
    // Debian's builds the standard library too, so a page is smaller by it.
    let found = if page { debian_compiler(triple) } else { None }.or_else(|| compiler(triple));
    let (mut command, compiler) = foreign_cargo(workspace, "build", triple, found)?;
    let mut rustflags = rustflags.to_string();
    command.args(["--package", package, "--lib", "--profile", profile, "--features", features]);
    command.arg("--target-dir").arg(workspace.own_build(folder));
    if compiler == Compiler::Debian {
        if page {
            command.arg("-Zbuild-std=std,panic_abort");
            command.arg("-Zbuild-std-features=compiler-builtins-mem,optimize_for_size");
            // Without the messages of panics and what formats them: a worker that fails is replaced with a message of its own.
            rustflags += " -Zunstable-options -Cpanic=immediate-abort";
        } else {
            command.args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
        }
        let linker = format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_"));
        command.env(linker, "wasm-ld-22");
    }
    // Set even if empty: flags from the environment are for the host.
    command.env("CARGO_ENCODED_RUSTFLAGS", encoded(&rustflags));
    let name = package.replace('-', "_");
    built(workspace, &format!("build {folder}"), &mut command, Wanted { name: &name, ending: "wasm" })
}

/// The guest of a variant.
///
/// # Errors
/// If none was built.
pub(super) fn guest_of<'a>(guests: &'a BTreeMap<&'static str, PathBuf>, variant: &str) -> Result<&'a Path, RunError> {
    let guest = guests.get(variant).map(PathBuf::as_path);
    guest.ok_or_else(|| RunError::Harness(Error::Refused(format!("no WASM guest was built for variant `{variant}`"))))
}

/// The sizes of the guests.
///
/// # Errors
/// If one cannot be read.
pub(super) fn guest_sizes(guests: &BTreeMap<&'static str, PathBuf>) -> Result<Vec<Artifact>, Error> {
    let artifact = |(&variant, guest): (&&'static str, &PathBuf)| {
        Ok(Artifact { variant: Some(variant), name: "guest.wasm", sizes: file_sizes(guest)? })
    };
    guests.iter().map(artifact).collect()
}

/// Builds the suite's guest for each variant. Kinds with the same flags share the builds.
pub(super) fn guests(
    workspace: &Workspace,
    triple: &str,
    rustflags: &str,
    variants: &[&'static Variant],
) -> Result<BTreeMap<&'static str, PathBuf>, Error> {
    let guest = |variant: &&'static Variant| {
        let rustflags = format!("{rustflags} {}", variant.rustflags);
        // What differs in its flags has its own folder, and what does not is built once.
        let flags = Digest::of(format!("{triple} {rustflags} {}", variant.features).as_bytes());
        let folder = format!("guest-{}-{flags}", variant.name);
        let guest = Module {
            package: "bitstate-runner-wasm",
            profile: "guest",
            triple,
            rustflags: &rustflags,
            features: variant.features,
            page: false,
            folder: &folder,
        };
        Ok((variant.name, module(workspace, &guest)?))
    };
    variants.iter().map(guest).collect()
}

/// Whether a job measures time.
pub(super) fn is_timed(job: &Job) -> bool {
    matches!(job, Job::Bench(_) | Job::Profile(_) | Job::Parts(_) | Job::Roof(_) | Job::Throughput(_))
}
