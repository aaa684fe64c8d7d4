//! The board as a kind of target: built by this folder's steps, run in a fresh emulator for every request.

use super::board::Board;
use super::build::{Firmware, RUST_FLAGS, build};
use super::error::Error as XtensaError;
use super::run::{Exit, run};
use super::toolchain::Toolchain;
use crate::targets::kind::{Answered, Artifact, Clock, Kind, Launch, Variant};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::targets::skip::{Cause, Skip};
use crate::workspace::error::Error;
use crate::workspace::process::tail;
use crate::workspace::progress::Progress;
use crate::workspace::{Workspace, make_folder, write_atomic};
use bitstate_protocol::{Job, Metric, Phase};
use std::path::PathBuf;

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
        let folder = workspace.own_build(name);
        let firmware = build(&tools, self, workspace, &folder).map_err(|error| refused(&error))?;
        Ok(Box::new(Emulated { tools, firmware, scratch: workspace.temporary() }))
    }

    fn check(&self, workspace: &Workspace) -> Result<(), String> {
        match workspace.root.join(&self.script).is_file() {
            true => Ok(()),
            false => Err(format!("there is no linker script {}", self.script)),
        }
    }

    fn hz(&self) -> Option<f64> {
        Some(self.hz.get() as f64)
    }

    fn exact_memory(&self) -> Option<&'static str> {
        Some("heap_peak")
    }
}

/// Everything needed to run the firmware.
#[derive(Debug, Clone)]
struct Emulated {
    /// Its tools.
    tools: Toolchain,
    /// Its objects.
    firmware: Firmware,
    /// Folder in which images are linked.
    scratch: PathBuf,
}

impl Emulated {
    /// Sizes of the firmware's sections with this model and an empty request; `None` if it does not link.
    fn sections(&self, model: &ModelFile) -> Option<Vec<(&'static str, u64)>> {
        make_folder(&self.scratch).ok()?;
        let folder = tempfile::tempdir_in(&self.scratch).ok()?;
        let request = folder.path().join("request.txt");
        write_atomic(&request, b"").ok()?;
        let image = self.firmware.link(&model.path, &request, &folder.path().join("image.elf")).ok()?;
        let sections = image.sections();
        Some(vec![
            ("text", sections.text),
            ("rodata", sections.rodata),
            ("data", sections.data),
            ("bss", sections.bss),
            ("stack", sections.stack),
            ("model", sections.model),
        ])
    }
}

impl Launch for Emulated {
    fn launch(&self, _: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        make_folder(&self.scratch)?;
        let folder = tempfile::tempdir_in(&self.scratch).map_err(Error::io("make a folder in", &self.scratch))?;
        let request_path = folder.path().join("request.txt");
        write_atomic(&request_path, request.as_bytes())?;
        let image = match self.firmware.link(&ask.model.path, &request_path, &folder.path().join("image.elf")) {
            Err(XtensaError::DoesNotFit { region, by }) => {
                let length = self.firmware.region(&region);
                let reason = does_not_fit(ask.model.bytes, &region, length, by);
                return Err(RunError::Skipped(Skip { cause: Cause::Memory, reason }));
            }
            linked => linked.map_err(of_this_kind)?,
        };
        let output = match run(&self.tools, &image, ask.timeout) {
            // Reported like any other process error, so that interrupts and limits read the same on every target.
            Err(XtensaError::Run(error)) => return Err(error.into()),
            ran => ran.map_err(of_this_kind)?,
        };
        let all_succeeded = match output.exit {
            Exit::Ok => true,
            Exit::Failed => false,
            exit => {
                let stderr = tail(&output.stderr, 5);
                return Err(RunError::Status { status: format!("{exit:?}"), stderr });
            }
        };
        let mut metrics = Vec::new();
        // Memory is a metric of measured workloads only.
        if let Some(Job::Bench(workload)) = ask.jobs.iter().find(|job| matches!(job, Job::Bench(_))) {
            let sections = image.sections();
            let extra = |name: &str, value: u64| Metric {
                case: workload.case.clone(),
                phase: Phase::Run,
                name: name.to_string(),
                unit: "bytes".to_string(),
                value,
            };
            metrics.push(extra("static", sections.data + sections.bss));
            metrics.extend(output.stack_high_water().map(|bytes| extra("stack_high_water", bytes)));
        }
        Ok(Answered { text: output.stdout, all_succeeded, metrics })
    }

    fn artifacts(&self, models: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        let sizes = models.iter().find_map(|model| self.sections(model)).unwrap_or_default();
        Ok(vec![Artifact { variant: None, name: "firmware", sizes }])
    }
}

fn of_this_kind(error: XtensaError) -> RunError {
    RunError::Kind(Box::new(error))
}

/// The message for a model that is too large; it names the PSRAM if that is too small.
fn does_not_fit(model: u64, region: &str, length: Option<u64>, by: u64) -> String {
    match length.filter(|_| region.eq_ignore_ascii_case("psram")) {
        Some(length) => format!("{:.1} MB does not fit {} MB PSRAM", model as f64 / 1e6, length >> 20),
        None => format!("does not fit: memory region `{region}` is too small by {by} bytes"),
    }
}
