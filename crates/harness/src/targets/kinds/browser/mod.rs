//! WebAssembly guests, one per variant, in a browser: the guests of `wasm`, by another engine.

use super::modules::{Guests, is_timed};
use super::process::converse;
use crate::targets::kind::{Answered, Artifact, Clock, Kind, Launch, Variant};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::workspace::Workspace;
use crate::workspace::cargo::host_program;
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::tools::program;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// How long a timed request is repeated before it is measured: wasmtime compiles a guest once and for all, a browser
/// optimises what runs often.
const WARM_UP: Duration = Duration::from_millis(1500);

/// `[target.browser]`: guests and the browser that runs them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Browser {
    /// How its command line and profile look.
    pub family: Family,
    /// Its program on PATH.
    pub program: String,
    /// Target triple of the guests.
    pub triple: String,
    /// Compiler flags, separated by spaces; those of the variant follow.
    #[serde(default)]
    pub rustflags: String,
}

/// A family of browsers.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Chromium, and what is made of it.
    Chromium,
    /// Firefox.
    Firefox,
}

impl Family {
    /// Its name on the command line of the host.
    fn name(self) -> &'static str {
        match self {
            Family::Chromium => "chromium",
            Family::Firefox => "firefox",
        }
    }
}

impl Kind for Browser {
    fn clock(&self) -> Clock {
        Clock::Wall
    }

    fn answers_as(&self) -> &'static str {
        "wasm"
    }

    fn in_words(&self) -> String {
        format!("{} {} in {}", self.triple, self.rustflags, self.program).replace("  ", " ")
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
        let missing = || Error::Refused(format!("{} is not installed: run `cargo xtask setup`", self.program));
        let browser = program(&self.program, "").ok_or_else(missing)?.path;
        let guests = Guests::build(workspace, &self.triple, &self.rustflags, variants)?;
        let host = host_program(workspace, "bitstate-runner-browser")?;
        Ok(Box::new(Hosted { host, family: self.family, browser, guests }))
    }

    fn builds_each_variant(&self) -> bool {
        true
    }

    fn exact_memory(&self) -> Option<&'static str> {
        Some("linear_memory")
    }

    /// As for every guest: its peak memory is its linear memory.
    fn counter<'a>(&self, metric: &'a str) -> &'a str {
        if metric == "peak_memory" { "linear_memory" } else { metric }
    }
}

/// The guests, their host, and the browser that it starts.
#[derive(Debug)]
struct Hosted {
    host: PathBuf,
    family: Family,
    browser: PathBuf,
    guests: Guests,
}

impl Launch for Hosted {
    fn launch(&self, variant: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        let guest = self.guests.of(variant, ask)?;
        let mut command = command(&self.host);
        command.args(["--browser", self.family.name()]).arg("--program").arg(&self.browser);
        command.arg("--guest").arg(guest).arg("--model").arg(&ask.model.path);
        command.args(["--timeout", &ask.timeout.as_secs().to_string()]);
        if ask.jobs.iter().any(is_timed) {
            command.args(["--warm-up", &WARM_UP.as_millis().to_string()]);
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
}
