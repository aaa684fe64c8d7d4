//! The keys of an emulated board in `ci/targets.toml`.

use serde::Deserialize;
use std::num::NonZeroU64;

/// `[target.qemu_xtensa]`: an emulated Xtensa board.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Features of the core, as the compiler and the assembler spell them.
    pub features: String,
    /// Linker script, from the top folder.
    pub script: String,
    /// Machine that QEMU emulates.
    pub machine: String,
    /// Its core.
    pub cpu: String,
    /// Its memory, as QEMU spells sizes.
    pub memory: String,
    /// Clock of the chip that is modelled, in Hz.
    pub hz: NonZeroU64,
}
