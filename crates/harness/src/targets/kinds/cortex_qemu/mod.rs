//! Firmware for a Cortex-M core, run under QEMU; it contains all variants.
//!
//! The stanza names one of QEMU's boards with the core, and a linker script with the memory of a real part at that
//! board's addresses.

mod serial;

use crate::targets::kind::{BoardImage, Clock, Kind, Launch, Variant};
use crate::targets::kinds::counting::Counter;
use crate::targets::kinds::firmware::{Emulated, Firmware, Tools, check_script};
use crate::targets::kinds::lazy::Lazy;
use crate::workspace::Workspace;
use crate::workspace::cargo::{Wanted, built, encoded, foreign_cargo};
use crate::workspace::error::Error;
use crate::workspace::tools::{Compiler, compiler};
use serde::Deserialize;
use serial::Serial;
use std::num::NonZeroU64;
use std::path::PathBuf;

/// The package of the firmware.
const PACKAGE: &str = "bitstate-runner-cortex-m";

/// The emulator.
const EMULATOR: &str = "qemu-system-arm";

/// `[target.qemu_cortex_m]`: an emulated board.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Triple that the firmware is built for.
    pub triple: String,
    /// Flags for the compiler, separated by spaces.
    #[serde(default)]
    pub rustflags: String,
    /// Linker script, as a path from the workspace's root.
    pub script: String,
    /// QEMU machine, which has the core.
    pub machine: String,
    /// Name of the core, for readers.
    pub core: String,
    /// Features of the firmware's package, for variants that need a build for this core.
    #[serde(default)]
    pub features: String,
    /// Whether images can be made for the machine as a real board: with a console on its first serial port.
    #[serde(default)]
    pub serial: bool,
    /// Clock of the modelled chip, in Hz.
    pub hz: NonZeroU64,
}

impl Board {
    /// Builds the firmware with these features as a static library: what it needs of itself and of the language, in one
    /// file.
    fn build_objects(&self, workspace: &Workspace, name: &str, features: &str) -> Result<PathBuf, Error> {
        let triple = &self.triple;
        let (mut command, compiler) = foreign_cargo(workspace, "build", triple, compiler(triple))?;
        command.args(["--package", PACKAGE, "--lib", "--profile", "firmware", "--target-dir"]);
        command.arg(workspace.own_build(name)).args(["--features", features]);
        if compiler == Compiler::Debian {
            command.args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
        }
        // Takes precedence over the flags in the checkout's configuration, which are for the host.
        command.env("CARGO_ENCODED_RUSTFLAGS", encoded(&self.rustflags));
        let wanted = Wanted { name: PACKAGE, ending: "a" };
        built(workspace, &format!("build {name}"), &mut command, wanted)
    }

    fn firmware(&self, workspace: &Workspace, name: &str, features: &str) -> Result<Firmware, Error> {
        let objects = vec![self.build_objects(workspace, name, features)?];
        Ok(Firmware { tools: self.tools(), script: workspace.root.join(&self.script), objects })
    }

    fn tools(&self) -> Tools {
        let board = ["-M", &self.machine, "-nic", "none", "-semihosting-config", "enable=on,target=native"];
        Tools {
            assembler: "llvm-mc-22".into(),
            triple: "thumbv7em-none-eabi",
            linker: "ld.lld-22".into(),
            linker_flags: &[],
            size: "llvm-size-22".into(),
            emulator: (EMULATOR.into(), board.into_iter().map(String::from).collect()),
        }
    }
}

impl Kind for Board {
    fn clock(&self) -> Clock {
        Clock::Instructions
    }

    fn answers_as(&self) -> &'static str {
        "cortex-m"
    }

    fn in_words(&self) -> String {
        format!("machine {}, core {}, {} MHz", self.machine, self.core, self.hz.get() as f64 / 1e6)
    }

    fn rustflags(&self) -> &str {
        &self.rustflags
    }

    fn build(&'static self, workspace: &Workspace, name: &str, _: &[&Variant]) -> Result<Box<dyn Launch>, Error> {
        let firmware = self.firmware(workspace, name, &self.features)?;
        let counter = Some(Counter::build(workspace, EMULATOR)?);
        let board = self.serial.then(|| {
            let (of, name) = (workspace.clone(), format!("{name}-serial"));
            let features = format!("{} serial", self.features);
            let build = move || self.firmware(&of, &name, &features).map_err(|error| error.to_string());
            let (firmware, scratch) = (Lazy::new(build), workspace.temporary());
            Box::new(Serial { firmware, emulator: EMULATOR, machine: &self.machine, scratch }) as Box<dyn BoardImage>
        });
        let scratch = workspace.temporary();
        Ok(Box::new(Emulated { firmware, with_sessions: None, counter, waits: None, board, scratch }))
    }

    /// No firmware with the library is built.
    fn has_sessions(&self) -> bool {
        false
    }

    fn check(&self, workspace: &Workspace) -> Result<(), String> {
        check_script(workspace, &self.script)
    }

    fn hz(&self) -> Option<f64> {
        Some(self.hz.get() as f64)
    }

    fn exact_memory(&self) -> Option<&'static str> {
        Some("heap_peak")
    }
}
