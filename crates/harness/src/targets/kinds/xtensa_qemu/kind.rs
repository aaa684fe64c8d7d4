//! The board as a kind of target.

use super::board::Board;
use super::build::{RUST_FLAGS, Recipe, build};
use super::toolchain::Toolchain;
use crate::targets::cache::Cache;
use crate::targets::kind::{Clock, Kind, Launch, Variant};
use crate::targets::kinds::counting::Counter;
use crate::targets::kinds::firmware::{Emulated, Firmware, Waits, check_script};
use crate::targets::kinds::lazy::Lazy;
use crate::workspace::Workspace;
use crate::workspace::error::Error;
use crate::workspace::progress::Progress;

impl Board {
    /// Builds the firmware in a folder of this name, with the library or without. The error is for readers.
    fn firmware(
        &'static self,
        tools: &Toolchain,
        workspace: &Workspace,
        name: &str,
        sessions: bool,
    ) -> Result<Firmware, String> {
        let _spinner = Progress::spinner(&format!("build {name}"));
        let recipe = Recipe {
            package: "bitstate-runner-xtensa",
            assembly: &[("start", "crates/runners/xtensa/start.S")],
            features: &self.features,
            script: &self.script,
            options: self.options(),
            sessions,
        };
        build(tools, &recipe, workspace, &workspace.own_build(name)).map_err(|error| error.to_string())
    }
}

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
        let tools = Toolchain::find().map_err(|error| Error::Refused(error.to_string()))?;
        let firmware = self.firmware(&tools, workspace, name, false).map_err(Error::Refused)?;
        let waits = match &self.cache {
            Some(cache) => {
                let counter = Counter::build(workspace, &tools.qemu.display().to_string())?;
                Some(Waits { counter, cache, code_cache: self.code_cache.as_ref() })
            }
            None => None,
        };
        let (of, name) = (workspace.clone(), format!("{name}-sessions"));
        let with_sessions = Some(Lazy::new(move || self.firmware(&tools, &of, &name, true)));
        let scratch = workspace.temporary();
        Ok(Box::new(Emulated { firmware, with_sessions, counter: None, waits, board: None, scratch }))
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

    fn code_cache(&self) -> Option<&Cache> {
        self.code_cache.as_ref()
    }

    fn exact_memory(&self) -> Option<&'static str> {
        Some("heap_peak")
    }
}
