//! WebAssembly guests, one per variant, in a host process with wasmtime.

use super::process::{converse, file_sizes};
use crate::targets::kind::{Answered, Artifact, Clock, Kind, Launch, Variant};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::workspace::Workspace;
use crate::workspace::cargo::{Wanted, built, cargo, debian_cargo, encoded, host_program};
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::tools::{Compiler, compiler};
use bitstate_protocol::Job;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Fuel limit of a run that is not timed: about ten times that of the longest run.
const FUEL: u64 = 1_000_000_000_000;

/// `[target.wasmtime]`: guests and their limits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wasmtime {
    /// Target triple.
    pub triple: String,
    /// Compiler flags, separated by spaces; those of the variant follow.
    #[serde(default)]
    pub rustflags: String,
    /// Limit of a guest's linear memory, in bytes.
    pub memory_limit: u64,
}

impl Kind for Wasmtime {
    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn answers_as(&self) -> &'static str {
        "wasm"
    }

    fn in_words(&self) -> String {
        format!("{} {}", self.triple, self.rustflags).trim_end().to_string()
    }

    fn rustflags(&self) -> &str {
        &self.rustflags
    }

    fn build(
        &'static self,
        workspace: &Workspace,
        name: &str,
        variants: &[&'static Variant],
    ) -> Result<Box<dyn Launch>, Error> {
        let triple = &self.triple;
        let Some((compiler, _)) = compiler(triple) else {
            return Err(Error::Refused(format!("no compiler for {triple} is installed: run `cargo xtask setup`")));
        };
        let mut guests = BTreeMap::new();
        for variant in variants {
            let target_dir = workspace.own_build(&format!("{name}-{}", variant.name));
            let mut command = match compiler {
                Compiler::Rustup => cargo(workspace, "build")?,
                Compiler::Debian => debian_cargo(workspace, "build")?,
            };
            command.args(["--package", "bitstate-runner-wasm", "--profile", "guest"]);
            command.args(["--target", triple]).arg("--target-dir").arg(&target_dir);
            command.args(["--features", variant.features]);
            if compiler == Compiler::Debian {
                command.args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
                let linker = format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_"));
                command.env(linker, "wasm-ld-22");
            }
            // Set even if empty: flags from the environment are for the host.
            let rustflags = format!("{} {}", self.rustflags, variant.rustflags);
            command.env("CARGO_ENCODED_RUSTFLAGS", encoded(&rustflags));
            let wanted = Wanted { name: "bitstate_runner_wasm", ending: "wasm" };
            let what = format!("build {name}/{}", variant.name);
            guests.insert(variant.name, built(workspace, &what, &mut command, wanted)?);
        }
        let host = host_program(workspace, "bitstate-runner-wasmtime")?;
        Ok(Box::new(Guests { host, guests, memory_limit: self.memory_limit }))
    }

    fn builds_each_variant(&self) -> bool {
        true
    }

    fn exact_memory(&self) -> Option<&'static str> {
        Some("linear_memory")
    }

    /// The peak memory of a guest is its linear memory, which is exact; a native program's is what the system mapped.
    fn counter<'a>(&self, metric: &'a str) -> &'a str {
        if metric == "peak_memory" { "linear_memory" } else { metric }
    }
}

/// The guests and their host.
#[derive(Debug, Clone)]
pub struct Guests {
    /// The host program.
    pub host: PathBuf,
    /// The guest, by variant.
    pub guests: BTreeMap<&'static str, PathBuf>,
    /// Limit of a guest's linear memory, in bytes.
    pub memory_limit: u64,
}

impl Launch for Guests {
    fn launch(&self, variant: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        let guest = self.guests.get(variant).ok_or_else(|| {
            RunError::Harness(Error::Refused(format!("no WASM guest was built for variant `{variant}`")))
        })?;
        let mut command = command(&self.host);
        command.arg("--guest").arg(guest).arg("--model").arg(&ask.model.path);
        command.args(["--memory-limit", &self.memory_limit.to_string()]);
        command.args(["--timeout", &ask.timeout.as_secs().to_string()]);
        // Metering slows the guest down, so a timed run has only the other two limits.
        if ask.fuel || !ask.jobs.iter().any(is_timed) {
            command.args(["--fuel", &FUEL.to_string()]);
        }
        if ask.fuel {
            command.arg("--count-fuel");
        }
        // The host has its own limit and a better message, so that limit is shorter.
        converse(&mut command, request, ask.timeout + Duration::from_secs(10))
    }

    fn artifacts(&self, _: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        let artifact = |(&variant, guest): (&&'static str, &PathBuf)| {
            Ok(Artifact { variant: Some(variant), name: "guest.wasm", sizes: file_sizes(guest)? })
        };
        self.guests.iter().map(artifact).collect()
    }

    fn counts_fuel(&self) -> bool {
        true
    }
}

/// Whether a job measures time.
fn is_timed(job: &Job) -> bool {
    matches!(job, Job::Bench(_) | Job::Profile(_) | Job::Parts(_) | Job::Roof(_) | Job::Throughput(_))
}
