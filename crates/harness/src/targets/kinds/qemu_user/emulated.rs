//! Running a program under the emulator, and counting its instructions with a plugin.

use super::QemuUser;
use crate::targets::kind::{Answered, Artifact, Launch};
use crate::targets::kinds::counting::Counter;
use crate::targets::kinds::native::PACKAGE;
use crate::targets::kinds::process::{converse, file_sizes};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::process::{Limits, run, tail};
use crate::workspace::{Workspace, make_folder};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A runner and what runs it.
#[derive(Debug)]
pub(super) struct Emulated {
    kind: &'static QemuUser,
    runner: PathBuf,
    counter: Counter,
    scratch: PathBuf,
}

impl Emulated {
    /// Builds the plugin, and asks the runner which variants the CPU has.
    ///
    /// # Errors
    /// If the plugin cannot be built, or other variants run than the target says: then one is skipped that should not
    /// be, or the engine picks another than the fastest.
    pub fn new(kind: &'static QemuUser, workspace: &Workspace, runner: PathBuf) -> Result<Self, Error> {
        let counter = Counter::build(workspace, &kind.emulator)?;
        let emulated = Emulated { kind, runner, counter, scratch: workspace.temporary() };
        emulated.check_variants()?;
        Ok(emulated)
    }

    fn command(&self) -> Command {
        let mut command = command(&self.kind.emulator);
        command.args(["-cpu", &self.kind.cpu]);
        command
    }

    fn check_variants(&self) -> Result<(), Error> {
        let mut command = self.command();
        let limits = Limits { time: Duration::from_secs(60), output: 1 << 16 };
        let output = run(command.arg(&self.runner).arg("--variants"), b"", limits)
            .map_err(|error| Error::Refused(format!("{}: {error}", self.kind.emulator)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found: Vec<&str> = text.lines().collect();
        if output.status.success() && found == self.kind.runs {
            return Ok(());
        }
        let (cpu, stderr) = (&self.kind.cpu, tail(&output.stderr, 5));
        Err(Error::Refused(format!(
            "on {cpu} these variants should run, the last of them picked: {}; there run: {}{}{stderr}",
            self.kind.runs.join(", "),
            found.join(", "),
            if stderr.is_empty() { "" } else { "; " },
        )))
    }
}

impl Launch for Emulated {
    fn launch(&self, _: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        let mut command = self.command();
        make_folder(&self.scratch)?;
        let count =
            tempfile::NamedTempFile::new_in(&self.scratch).map_err(Error::io("make a file in", &self.scratch))?;
        let options = self.counter.options(ask, count.path())?;
        command.args(&options).arg(&self.runner).arg("--model").arg(&ask.model.path);
        if !options.is_empty() {
            command.arg("--instructions").arg(count.path());
        }
        converse(&mut command, request, ask.timeout)
    }

    fn artifacts(&self, _: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        Ok(vec![Artifact { variant: None, name: PACKAGE, sizes: file_sizes(&self.runner)? }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Cell;
    use crate::targets::build::obstacle;
    use crate::targets::skip::Cause;

    /// An emulator that says, as every CPU and for every program, that these run.
    fn with(emulator: &str, runs: &[&str], found: &str) -> Emulated {
        let kind = QemuUser {
            triple: "riscv64gc-unknown-linux-gnu".into(),
            rustflags: String::new(),
            linker: None,
            emulator: emulator.into(),
            cpu: "-c".into(),
            has: Vec::new(),
            runs: runs.iter().map(|name| name.to_string()).collect(),
            tests: false,
            native: false,
        };
        // A shell takes `-cpu -c` for `-c -p -u`, and what follows for its text.
        let script = format!("printf '{found}' #");
        let counter = Counter { emulator: emulator.into(), plugin: Err(String::new()) };
        Emulated { kind: Box::leak(Box::new(kind)), runner: script.into(), counter, scratch: std::env::temp_dir() }
    }

    #[test]
    fn a_variant_that_is_missing_or_another_choice_is_no_skip() {
        let found = "generic\\nlut\\nrvv\\n";
        assert!(with("sh", &["generic", "lut", "rvv"], found).check_variants().is_ok());
        for runs in [&["generic", "lut"][..], &["generic", "rvv", "lut"]] {
            let error = with("sh", runs, found).check_variants().unwrap_err().to_string();
            assert!(error.contains(&runs.join(", ")) && error.contains("there run: generic, lut, rvv"), "{error}");
        }
        assert!(
            with("no-such-emulator", &[], "").check_variants().unwrap_err().to_string().contains("no-such-emulator")
        );
    }

    #[test]
    fn a_model_of_a_cpu_skips_what_it_lacks_whatever_this_machine_has() {
        let everything = "asimd asimddp i8mm ssse3 avx2 avx_vnni";
        for (target, variant, lacks) in [
            ("cortex-a72", "neon_i8mm", "cortex-a72 has no asimddp, i8mm"),
            ("cortex-a76", "neon_i8mm", "cortex-a76 has no i8mm"),
            ("x86-nehalem", "avx2", "Nehalem has no avx2"),
        ] {
            let skip = obstacle(Cell::named(target, variant).unwrap(), everything).unwrap();
            assert_eq!((skip.cause, skip.reason.as_str()), (Cause::Cpu, lacks));
        }
    }
}
