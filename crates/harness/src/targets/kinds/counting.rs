//! Counting the instructions of an emulated program with a plugin of QEMU.

use crate::targets::request::{RunError, RunRequest};
use crate::targets::skip::{Cause, Skip};
use crate::workspace::Workspace;
use crate::workspace::cargo::{Wanted, built, cargo};
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::process::{Limits, run};
use crate::workspace::tools::said;
use bitstate_protocol::Job;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The package of the plugin.
const PLUGIN: &str = "bitstate-qemu-plugin";

/// What counts the instructions of programs that an emulator runs.
#[derive(Debug)]
pub(super) struct Counter {
    /// The emulator's name, for messages.
    pub emulator: String,
    /// The plugin, or why this emulator cannot use it, as the end of a sentence that begins with the emulator's name.
    pub plugin: Result<PathBuf, String>,
}

impl Counter {
    /// Builds the plugin, if the emulator takes one, and tries to load it.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn build(workspace: &Workspace, emulator: &str) -> Result<Self, Error> {
        let help = said(command(emulator).arg("-help")).unwrap_or_default();
        if !help.contains("-plugin") {
            return Ok(Counter { emulator: emulator.into(), plugin: Err("takes no plugins".into()) });
        }
        let mut build = cargo(workspace, "build")?;
        build.args(["--release", "--package", PLUGIN]);
        let plugin = built(workspace, "build the plugin for QEMU", &mut build, Wanted { name: PLUGIN, ending: "so" })?;
        let plugin = match refusal(emulator, &plugin)? {
            Some(why) => Err(format!("does not load the plugin ({why})")),
            None => Ok(plugin),
        };
        Ok(Counter { emulator: emulator.into(), plugin })
    }

    /// The emulator's options that count into a new file, if numbers are what the request is for; otherwise none.
    ///
    /// # Errors
    /// A skip, where nothing can count them.
    pub fn options(&self, ask: &RunRequest, count: &Path) -> Result<Vec<String>, RunError> {
        if !ask.jobs.iter().any(is_counted) {
            return Ok(Vec::new());
        }
        let plugin = self.plugin.as_ref().map_err(|why| {
            let reason = format!("{} {why}, so nothing counts its instructions", self.emulator);
            RunError::Skipped(Skip { cause: Cause::Unsupported, reason })
        })?;
        std::fs::write(count, []).map_err(Error::io("write", count))?;
        Ok(vec!["-plugin".into(), format!("{},count={}", plugin.display(), count.display())])
    }
}

/// Why the emulator does not load the plugin, if so: versions of QEMU differ in those of the interface that they take.
fn refusal(emulator: &str, plugin: &Path) -> Result<Option<String>, Error> {
    // The plugin maps the file that it counts in.
    let count = tempfile::NamedTempFile::new().map_err(Error::io("make a file in", &std::env::temp_dir()))?;
    let mut command = command(emulator);
    command.arg("-plugin").arg(format!("{},count={}", plugin.display(), count.path().display()));
    // What comes next is missing, so that QEMU ends once it has loaded the plugin: a program, or a device of a machine.
    match emulator.starts_with("qemu-system-") {
        true => command.args(["-M", "none", "-display", "none", "-device", "missing"]),
        false => command.arg("./missing"),
    };
    let limits = Limits { time: Duration::from_secs(60), output: 1 << 16 };
    let stderr = match run(&mut command, b"", limits) {
        Ok(output) => output.stderr,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let why = stderr.lines().find_map(|line| line.split_once("Could not load plugin ")).map(|(_, why)| why);
    Ok(why.map(|why| why.split_once(": ").map_or(why, |(_, why)| why).trim().to_string()))
}

/// Whether the clock's numbers are what a job is for.
fn is_counted(job: &Job) -> bool {
    matches!(job, Job::Bench(_) | Job::Profile(_) | Job::Parts(_) | Job::Roof(_) | Job::Throughput(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::ModelFile;
    use bitstate_protocol::{Budget, Digest, Roof};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_emulator_that_cannot_use_the_plugin_verifies_and_does_not_count() {
        let model = ModelFile { name: "m".into(), path: "m.bits".into(), digest: Digest::of(b""), bytes: 0 };
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let options = |jobs, plugin: Option<&str>| {
            let ask = RunRequest { model: &model, jobs, fuel: false, timeout: Duration::ZERO };
            let plugin = plugin.map(PathBuf::from).ok_or("takes no plugins".to_string());
            Counter { emulator: "qemu-x".into(), plugin }.options(&ask, &count)
        };
        let budget = Budget { ticks: 0, slices: 1 };
        let counted = vec![Job::Roof(Roof { bytes: vec![1], budget })];
        assert!(options(vec![Job::Kernels], None).unwrap().is_empty());
        assert!(options(vec![Job::Kernels], Some("p.so")).unwrap().is_empty() && !count.exists());
        assert!(options(counted.clone(), None).unwrap_err().to_string().contains("qemu-x takes no plugins"));
        assert_eq!(options(counted, Some("p.so")).unwrap()[1], format!("p.so,count={}", count.display()));
        assert!(count.exists());
    }

    #[test]
    fn an_emulator_that_refuses_a_plugin_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let emulator = |says: &str| {
            let path = folder.path().join("emulator");
            std::fs::write(&path, format!("#!/bin/sh\necho '{says}' >&2\nexit 1\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            refusal(&path.to_string_lossy(), Path::new("p.so")).unwrap()
        };
        let too_new = "plugin requires API version 1, but this QEMU supports only a minimum version of 2";
        assert_eq!(emulator(&format!("qemu-x: Could not load plugin p.so: {too_new}")).unwrap(), too_new);
        assert_eq!(emulator("qemu-x: -device missing: it is not a valid device model name"), None);
        let missing = refusal("qemu-that-is-missing", Path::new("p.so")).unwrap();
        assert!(missing.unwrap().contains("qemu-that-is-missing"));
    }

    #[test]
    fn the_emulators_of_this_machine_load_the_plugin() {
        let workspace = Workspace::find().unwrap();
        for emulator in ["qemu-aarch64", "qemu-riscv64", "qemu-system-arm", "qemu-system-xtensa"] {
            if said(command(emulator).arg("--version")).is_some() {
                let counter = Counter::build(&workspace, emulator).unwrap();
                assert!(counter.plugin.is_ok(), "{emulator}: {:?}", counter.plugin);
            }
        }
    }
}
