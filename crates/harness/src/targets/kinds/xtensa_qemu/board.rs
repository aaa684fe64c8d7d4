//! The keys of an emulated board in `ci/targets.toml`.

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
}
