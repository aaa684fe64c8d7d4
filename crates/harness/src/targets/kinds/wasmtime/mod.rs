//! WebAssembly guests, one per variant, in a host process with wasmtime.

use super::modules::{Guests, is_timed};
use super::process::converse;
use crate::targets::kind::{Answered, Artifact, Clock, Kind, Launch, Variant};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::workspace::Workspace;
use crate::workspace::cargo::host_program;
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use serde::Deserialize;
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
        _: &str,
        variants: &[&'static Variant],
    ) -> Result<Box<dyn Launch>, Error> {
        let guests = Guests::build(workspace, &self.triple, &self.rustflags, variants)?;
        let host = host_program(workspace, "bitstate-runner-wasmtime")?;
        Ok(Box::new(Hosted { host, guests, memory_limit: self.memory_limit }))
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
#[derive(Debug)]
pub struct Hosted {
    /// The host program.
    pub host: PathBuf,
    /// The guests.
    pub guests: Guests,
    /// Limit of a guest's linear memory, in bytes.
    pub memory_limit: u64,
}

impl Launch for Hosted {
    fn launch(&self, variant: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        let guest = self.guests.of(variant, ask)?;
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

    fn build_for_sessions(&self, variant: &str) {
        self.guests.build_for_sessions(variant);
    }

    fn artifacts(&self, _: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        self.guests.sizes()
    }

    fn counts_fuel(&self) -> bool {
        true
    }
}
