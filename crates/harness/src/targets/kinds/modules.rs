//! WebAssembly modules: the guests of the kinds that host them, and the library of the page.

use super::super::kind::{Artifact, Variant};
use super::super::request::{RunError, RunRequest};
use super::lazy::Lazy;
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

/// The suite's modules, by variant.
#[derive(Debug)]
pub struct Guests {
    /// Those that are measured.
    pub measured: BTreeMap<&'static str, PathBuf>,
    /// Those with the library, for requests with sessions.
    with_sessions: BTreeMap<&'static str, Lazy<PathBuf>>,
}

impl Guests {
    /// Modules that were built before, none of them with the library.
    pub fn without_sessions(measured: BTreeMap<&'static str, PathBuf>) -> Self {
        Guests { measured, with_sessions: BTreeMap::new() }
    }

    /// Builds the measured module of each variant. Kinds with the same flags share the builds.
    ///
    /// # Errors
    /// As [`module`].
    pub(super) fn build(
        workspace: &Workspace,
        triple: &'static str,
        rustflags: &'static str,
        variants: &[&'static Variant],
    ) -> Result<Self, Error> {
        let measured = |&variant: &&'static Variant| {
            Ok((variant.name, guest(workspace, triple, rustflags, variant, variant.features)?))
        };
        let with_sessions = |&variant: &&'static Variant| {
            let workspace = workspace.clone();
            let build = move || {
                let features = format!("{} sessions", variant.features);
                guest(&workspace, triple, rustflags, variant, &features).map_err(|error| error.to_string())
            };
            (variant.name, Lazy::new(build))
        };
        let measured = variants.iter().map(measured).collect::<Result<_, Error>>()?;
        Ok(Guests { measured, with_sessions: variants.iter().map(with_sessions).collect() })
    }

    /// The module of a variant for a request.
    ///
    /// # Errors
    /// If none was built.
    pub(super) fn of(&self, variant: &str, ask: &RunRequest) -> Result<&Path, RunError> {
        let guest = match ask.has_sessions() {
            false => self.measured.get(variant),
            true => self.with_sessions.get(variant).map(Lazy::get).transpose()?,
        };
        let missing = || Error::Refused(format!("no WASM guest was built for variant `{variant}`"));
        Ok(guest.ok_or_else(missing)?)
    }

    /// See [`Launch::build_for_sessions`](super::super::kind::Launch::build_for_sessions).
    pub(super) fn build_for_sessions(&self, variant: &str) {
        if let Some(guest) = self.with_sessions.get(variant) {
            guest.build();
        }
    }

    /// Their sizes.
    ///
    /// # Errors
    /// If one cannot be read.
    pub(super) fn sizes(&self) -> Result<Vec<Artifact>, Error> {
        let artifact = |(&variant, guest): (&&'static str, &PathBuf)| {
            Ok(Artifact { variant: Some(variant), name: "guest.wasm", sizes: file_sizes(guest)? })
        };
        self.measured.iter().map(artifact).collect()
    }
}

/// Builds the suite's module for a variant.
fn guest(
    workspace: &Workspace,
    triple: &str,
    rustflags: &str,
    variant: &Variant,
    features: &str,
) -> Result<PathBuf, Error> {
    let rustflags = format!("{rustflags} {}", variant.rustflags);
    // What differs in its flags has its own folder, and what does not is built once.
    let flags = Digest::of(format!("{triple} {rustflags} {features}").as_bytes());
    let folder = format!("guest-{}-{flags}", variant.name);
    let (package, profile) = ("bitstate-runner-wasm", "guest");
    module(
        workspace,
        &Module { package, profile, triple, rustflags: &rustflags, features, page: false, folder: &folder },
    )
}

/// Whether a job measures time.
pub(super) fn is_timed(job: &Job) -> bool {
    matches!(job, Job::Bench(_) | Job::Profile(_) | Job::Parts(_) | Job::Roof(_) | Job::Throughput(_))
}

#[cfg(test)]
mod tests {
    use super::{Guests, Lazy};
    use crate::targets::request::{ModelFile, RunRequest};
    use bitstate_protocol::{Digest, Job, Resume};
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    #[test]
    fn only_sessions_run_the_module_with_the_library_which_is_built_once() {
        let model = ModelFile { name: "small".into(), path: "small.bits".into(), digest: Digest(0), bytes: 0 };
        let ask = |jobs| RunRequest { model: &model, jobs, fuel: false, timeout: Duration::ZERO };
        let resume = Resume { case: "a".into(), max_tokens: 1, save: vec![], file: vec![] };
        let sessions = ask(vec![Job::Kernels, Job::Resume(resume)]);
        let mut guests = Guests::without_sessions([("generic", PathBuf::from("measured"))].into());
        assert_eq!(guests.of("generic", &ask(vec![Job::Kernels])).ok(), Some(Path::new("measured")));
        let missing = guests.of("generic", &sessions).expect_err("no module with the library").to_string();
        assert_eq!(missing, "no WASM guest was built for variant `generic`");
        let built = Lazy::new(|| Ok("with the library".into()));
        let failed = Lazy::new(|| Err("no compiler".into()));
        guests.with_sessions = [("generic", built), ("simd128", failed)].into();
        for _ in 0..2 {
            assert_eq!(guests.of("generic", &sessions).ok(), Some(Path::new("with the library")));
            let failure = guests.of("simd128", &sessions).expect_err("a failed build").to_string();
            assert!(failure.contains("no compiler"), "{failure}");
        }
        assert_eq!(guests.of("generic", &ask(vec![Job::Kernels])).ok(), Some(Path::new("measured")));
    }
}
