//! The native runner on another CPU: a program of Linux under QEMU's user-mode emulation, its instructions counted.
//!
//! Where the machine that runs the harness has the architecture itself, and the target asks for no special model of it,
//! the runner is a native program there: timed, and counted by callgrind. (That way was not tried on such a machine.)

mod emulated;

use super::native::{PACKAGE, Program};
use crate::targets::kind::{Clock, EmulatedCpu, Kind, Launch, Variant};
use crate::workspace::Workspace;
use crate::workspace::cargo::{Wanted, built, encoded, foreign_cargo, host_program};
use crate::workspace::error::Error;
use crate::workspace::tools::{Compiler, compiler};
use emulated::Emulated;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::Command;

/// `[target.qemu_user]`: a program for a triple, and the CPU that runs it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QemuUser {
    /// For which target triple.
    pub triple: String,
    /// Flags for the compiler, separated by spaces.
    #[serde(default)]
    pub rustflags: String,
    /// The C compiler that links for the triple.
    pub linker: Option<String>,
    /// The emulator.
    pub emulator: String,
    /// The CPU, as the emulator's `-cpu` takes it, and its name for readers.
    pub cpu: String,
    /// The features of that CPU that variants ask for, as `/proc/cpuinfo` spells them.
    pub has: Vec<String>,
    /// Every variant that runs on that CPU, the one that the engine picks last.
    pub runs: Vec<String>,
    /// Whether the tests of the kernels run on it too.
    #[serde(default)]
    pub tests: bool,
    /// Whether a machine of this architecture runs it without the emulator.
    #[serde(default)]
    pub native: bool,
}

impl QemuUser {
    /// Whether this machine has the architecture.
    fn is_of_here(&self) -> bool {
        self.triple.split('-').next().is_some_and(|arch| arch.starts_with(std::env::consts::ARCH))
    }

    fn is_native(&self) -> bool {
        self.native && self.is_of_here()
    }

    /// Builds the runner; the models of a CPU of one triple share it.
    fn runner(&self, workspace: &Workspace) -> Result<PathBuf, Error> {
        let triple = &self.triple;
        if self.is_of_here() && self.rustflags.is_empty() {
            return host_program(workspace, PACKAGE);
        }
        let mut command = self.cargo(workspace, "build", "std,panic_abort")?;
        command.args(["--release", "--package", PACKAGE, "--bin", PACKAGE]);
        built(workspace, &format!("build for {triple}"), &mut command, Wanted { name: PACKAGE, ending: "" })
    }

    /// A cargo command that builds for the triple; Debian's compiler builds those `crates` of the library with it.
    fn cargo(&self, workspace: &Workspace, verb: &str, crates: &str) -> Result<Command, Error> {
        let triple = &self.triple;
        let (mut command, compiler) = foreign_cargo(workspace, verb, triple, compiler(triple))?;
        command.arg("--target-dir").arg(workspace.own_build(triple));
        if compiler == Compiler::Debian {
            command.arg(format!("-Zbuild-std={crates}"));
        }
        if let Some(linker) = &self.linker {
            command.env(self.variable("LINKER"), linker);
        }
        // The C library is linked in, so that the emulator needs no folder of another system.
        let rustflags = format!("-Ctarget-feature=+crt-static {}", self.rustflags);
        command.env("CARGO_ENCODED_RUSTFLAGS", encoded(&rustflags));
        Ok(command)
    }

    /// What cargo calls a setting of the triple in its environment.
    fn variable(&self, setting: &str) -> String {
        format!("CARGO_TARGET_{}_{setting}", self.triple.to_uppercase().replace('-', "_"))
    }
}

impl Kind for QemuUser {
    fn clock(&self) -> Clock {
        if self.is_native() { Clock::Wall } else { Clock::Instructions }
    }

    fn answers_as(&self) -> &'static str {
        "native"
    }

    fn in_words(&self) -> String {
        if self.is_native() {
            return "a process of this machine".into();
        }
        format!("{} under {} -cpu {}", self.triple, self.emulator, self.cpu)
    }

    fn rustflags(&self) -> &str {
        &self.rustflags
    }

    fn build(&'static self, workspace: &Workspace, _: &str, _: &[&Variant]) -> Result<Box<dyn Launch>, Error> {
        let runner = self.runner(workspace)?;
        if self.is_native() {
            return Ok(Box::new(Program(runner)));
        }
        Ok(Box::new(Emulated::new(self, workspace, runner)?))
    }

    fn cpu(&self) -> Option<EmulatedCpu<'_>> {
        (!self.is_native()).then(|| EmulatedCpu { name: &self.cpu, features: &self.has })
    }

    fn has_tests(&self) -> bool {
        self.tests && !self.is_native()
    }

    fn tests(&self, workspace: &Workspace, package: &str) -> Result<Option<Command>, Error> {
        if !self.has_tests() {
            return Ok(None);
        }
        let mut command = self.cargo(workspace, "test", "std,panic_unwind,test")?;
        command.args(["--release", "--no-fail-fast", "--package", package, "--lib", "--tests"]);
        command.env(self.variable("RUNNER"), format!("{} -cpu {}", self.emulator, self.cpu));
        // Nothing of them is measured, and this builds faster.
        command.env("CARGO_PROFILE_RELEASE_DEBUG", "false").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        Ok(Some(command))
    }

    fn needs_tools(&self) -> bool {
        !self.is_native()
    }

    fn is_timed_somewhere(&self) -> bool {
        self.native
    }

    fn exact_memory(&self) -> Option<&'static str> {
        (!self.is_native()).then_some("heap_peak")
    }

    /// The whole file has the paths of the machine that built it.
    fn counts_size_of(&self, section: &str) -> bool {
        section != "file"
    }
}
