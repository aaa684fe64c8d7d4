//! Counting the instructions of an emulated program with a plugin of QEMU.

use crate::targets::request::{RunError, RunRequest};
use crate::targets::skip::{Cause, Skip};
use crate::workspace::Workspace;
use crate::workspace::cargo::{Wanted, built, cargo};
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::tools::said;
use bitstate_protocol::Job;
use std::path::{Path, PathBuf};

/// The package of the plugin.
const PLUGIN: &str = "bitstate-qemu-plugin";

/// What counts the instructions of programs that an emulator runs.
#[derive(Debug)]
pub(super) struct Counter {
    /// The emulator's name, for messages.
    pub emulator: String,
    /// None where this emulator takes no plugins.
    pub plugin: Option<PathBuf>,
}

impl Counter {
    /// Builds the plugin, if the emulator takes one.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn build(workspace: &Workspace, emulator: &str) -> Result<Self, Error> {
        let help = said(command(emulator).arg("-help")).unwrap_or_default();
        let plugin = help.contains("-plugin").then(|| {
            let mut command = cargo(workspace, "build")?;
            command.args(["--release", "--package", PLUGIN]);
            built(workspace, "build the plugin for QEMU", &mut command, Wanted { name: PLUGIN, ending: "so" })
        });
        Ok(Counter { emulator: emulator.into(), plugin: plugin.transpose()? })
    }

    /// The emulator's options that count into a new file, if numbers are what the request is for; otherwise none.
    ///
    /// # Errors
    /// A skip, where nothing can count them.
    pub fn options(&self, ask: &RunRequest, count: &Path) -> Result<Vec<String>, RunError> {
        if !ask.jobs.iter().any(is_counted) {
            return Ok(Vec::new());
        }
        let Some(plugin) = &self.plugin else {
            let reason = format!("{} takes no plugins, so nothing counts its instructions", self.emulator);
            return Err(RunError::Skipped(Skip { cause: Cause::Unsupported, reason }));
        };
        std::fs::write(count, []).map_err(Error::io("write", count))?;
        Ok(vec!["-plugin".into(), format!("{},count={}", plugin.display(), count.display())])
    }
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
    use std::time::Duration;

    #[test]
    fn an_emulator_without_plugins_verifies_and_does_not_count() {
        let model = ModelFile { name: "m".into(), path: "m.bits".into(), digest: Digest::of(b""), bytes: 0 };
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let options = |jobs, plugin: Option<&str>| {
            let ask = RunRequest { model: &model, jobs, fuel: false, timeout: Duration::ZERO };
            Counter { emulator: "qemu-x".into(), plugin: plugin.map(PathBuf::from) }.options(&ask, &count)
        };
        let budget = Budget { ticks: 0, slices: 1 };
        let counted = vec![Job::Roof(Roof { bytes: vec![1], budget })];
        assert!(options(vec![Job::Kernels], None).unwrap().is_empty());
        assert!(options(vec![Job::Kernels], Some("p.so")).unwrap().is_empty() && !count.exists());
        assert!(options(counted.clone(), None).unwrap_err().to_string().contains("qemu-x takes no plugins"));
        assert_eq!(options(counted, Some("p.so")).unwrap()[1], format!("p.so,count={}", count.display()));
        assert!(count.exists());
    }
}
