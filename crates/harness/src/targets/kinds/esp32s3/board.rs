//! The keys of a real board in `ci/targets.toml`, and the board as a kind of target.

use super::launch::Maker;
use crate::targets::kind::{Clock, Kind, Launch, Variant};
use crate::targets::kinds::firmware::check_script;
use crate::targets::kinds::xtensa_qemu::{RUST_FLAGS, Recipe, Toolchain, build};
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use crate::workspace::progress::Progress;
use serde::Deserialize;

/// `[target.esp32s3]`: an image for a board, run under QEMU.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Features of the core, as the compiler and the assembler spell them.
    pub features: String,
    /// Linker script, as a path from the workspace's root.
    pub script: String,
    /// QEMU machine.
    pub machine: String,
    /// QEMU CPU.
    pub cpu: String,
    /// Memory size in QEMU's syntax: up to the chip's peripherals.
    pub memory: String,
}

impl Kind for Board {
    fn clock(&self) -> Clock {
        Clock::Instructions
    }

    fn answers_as(&self) -> &'static str {
        "esp32s3"
    }

    fn in_words(&self) -> String {
        format!("image for a board, on machine {}, core {}", self.machine, self.cpu)
    }

    fn rustflags(&self) -> &str {
        RUST_FLAGS
    }

    fn build(&'static self, workspace: &Workspace, name: &str, _: &[&Variant]) -> Result<Box<dyn Launch>, Error> {
        let _spinner = Progress::spinner(&format!("build {name}"));
        let refused = |error: &dyn std::fmt::Display| Error::Refused(error.to_string());
        let tools = Toolchain::find().map_err(|error| refused(&error))?;
        let options = ["-M", &self.machine, "-cpu", &self.cpu, "-m", &self.memory];
        let recipe = Recipe {
            package: "bitstate-runner-esp32s3",
            assembly: &[("start", "crates/runners/xtensa/start.S"), ("board", "crates/runners/esp32s3/start.S")],
            features: &self.features,
            script: &self.script,
            options: options.into_iter().map(String::from).collect(),
            sessions: false,
        };
        let firmware =
            build(&tools, &recipe, workspace, &workspace.own_build(name)).map_err(|error| refused(&error))?;
        Ok(Box::new(Maker { firmware, scratch: workspace.temporary() }))
    }

    /// No firmware with the library is built.
    fn has_sessions(&self) -> bool {
        false
    }

    fn check(&self, workspace: &Workspace) -> Result<(), String> {
        check_script(workspace, &self.script)
    }
}
