//! The board as a kind of target.

use super::board::Board;
use super::build::{RUST_FLAGS, Recipe, build};
use super::toolchain::Toolchain;
use crate::targets::cache::Cache;
use crate::targets::kind::{Clock, Kind, Launch, Variant};
use crate::targets::kinds::counting::Counter;
use crate::targets::kinds::firmware::{Emulated, Waits, check_script};
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use crate::workspace::progress::Progress;

impl Kind for Board {
    fn clock(&self) -> Clock {
        Clock::Instructions
    }

    fn answers_as(&self) -> &'static str {
        "xtensa"
    }

    fn in_words(&self) -> String {
        format!("machine {}, core {}, {} MHz", self.machine, self.cpu, self.hz.get() as f64 / 1e6)
    }

    fn rustflags(&self) -> &str {
        RUST_FLAGS
    }

    fn build(&'static self, workspace: &Workspace, name: &str, _: &[&Variant]) -> Result<Box<dyn Launch>, Error> {
        let _spinner = Progress::spinner(&format!("build {name}"));
        let refused = |error: &dyn std::fmt::Display| Error::Refused(error.to_string());
        let tools = Toolchain::find().map_err(|error| refused(&error))?;
        let recipe = Recipe {
            package: "bitstate-runner-xtensa",
            assembly: &[("start", "crates/runners/xtensa/start.S")],
            features: &self.features,
            script: &self.script,
            options: self.options(),
        };
        let firmware =
            build(&tools, &recipe, workspace, &workspace.own_build(name)).map_err(|error| refused(&error))?;
        let waits = match &self.cache {
            Some(cache) => {
                Some(Waits { counter: Counter::build(workspace, &tools.qemu.display().to_string())?, cache })
            }
            None => None,
        };
        Ok(Box::new(Emulated { firmware, counter: None, waits, scratch: workspace.temporary() }))
    }

    fn check(&self, workspace: &Workspace) -> Result<(), String> {
        check_script(workspace, &self.script)
    }

    fn hz(&self) -> Option<f64> {
        Some(self.hz.get() as f64)
    }

    fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    fn exact_memory(&self) -> Option<&'static str> {
        Some("heap_peak")
    }
}
