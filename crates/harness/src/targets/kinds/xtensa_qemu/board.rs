//! The keys of an emulated board in `ci/targets.toml`.

use crate::targets::cache::Cache;
use serde::Deserialize;
use std::num::NonZeroU64;

/// `[target.qemu_xtensa]`: an emulated Xtensa board.
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
    /// Memory size in QEMU's syntax.
    pub memory: String,
    /// Clock of the modelled chip, in Hz.
    pub hz: NonZeroU64,
    /// The data cache of the modelled chip, if its waits are modelled.
    pub cache: Option<Cache>,
    /// Its instruction cache, if waits for code are modelled too.
    pub code_cache: Option<Cache>,
}

impl Board {
    /// QEMU's options. Instructions are counted, not timed: the same image executes the same number each time.
    /// `sleep=off` excludes the real time before the first instruction from the counter, where it would shift every
    /// reading by a tick.
    pub(super) fn options(&self) -> Vec<String> {
        let options = ["-M", &self.machine, "-cpu", &self.cpu, "-m", &self.memory];
        let counted = ["-icount", "shift=0,sleep=off", "-semihosting"];
        options.into_iter().chain(counted).map(String::from).collect()
    }
}
