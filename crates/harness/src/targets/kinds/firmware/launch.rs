//! Firmware as a kind of target's runner: linked and run for every request.

use super::error::Error as FirmwareError;
use super::link::Image;
use super::objects::Firmware;
use super::run::{Exit, RunOutput, run};
use super::waits::Waits;
use crate::targets::kind::{Answered, Artifact, BoardImage, Launch};
use crate::targets::kinds::counting::Counter;
use crate::targets::kinds::lazy::Lazy;
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::targets::skip::{Cause, Skip};
use crate::workspace::error::Error;
use crate::workspace::process::tail;
use crate::workspace::{Workspace, make_folder, write_atomic};
use bitstate_protocol::{Job, Metric, Phase};
use std::path::{Path, PathBuf};

/// The file in which the emulator counts instructions, in the folder of the run.
const COUNT: &str = "instructions";
/// The file with the traffic of slow memory, there too.
const TRAFFIC: &str = "traffic";

/// Everything needed to run firmware.
#[derive(Debug)]
pub(in crate::targets::kinds) struct Emulated {
    /// Its objects.
    pub firmware: Firmware,
    /// Its objects with the library, for requests with sessions; none where the board has no such build.
    pub with_sessions: Option<Lazy<Firmware>>,
    /// What counts its instructions; none where the core counts them itself.
    pub counter: Option<Counter>,
    /// What watches the traffic of slow memory, where there is such memory.
    pub waits: Option<Waits>,
    /// What makes images for a real board, for a board that QEMU has with its serial port.
    pub board: Option<Box<dyn BoardImage>>,
    /// Folder in which images are linked.
    pub scratch: PathBuf,
}

/// Checks the linker script of a board before anything is built.
pub(in crate::targets::kinds) fn check_script(workspace: &Workspace, script: &str) -> Result<(), String> {
    match workspace.root.join(script).is_file() {
        true => Ok(()),
        false => Err(format!("there is no linker script {script}")),
    }
}

impl Emulated {
    fn folder(&self) -> Result<tempfile::TempDir, Error> {
        make_folder(&self.scratch)?;
        tempfile::tempdir_in(&self.scratch).map_err(Error::io("make a folder in", &self.scratch))
    }

    /// The objects for a request.
    fn firmware_for(&self, ask: &RunRequest) -> Result<&Firmware, Error> {
        match &self.with_sessions {
            Some(lazy) if ask.has_sessions() => lazy.get(),
            _ => Ok(&self.firmware),
        }
    }

    /// Sizes of the firmware's sections with this model and an empty request; `None` if it does not link.
    fn sections(&self, model: &ModelFile) -> Option<Vec<(&'static str, u64)>> {
        let folder = self.folder().ok()?;
        let image = link(&self.firmware, model, "", folder.path()).ok()?;
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
        let (folder, firmware) = (self.folder()?, self.firmware_for(ask)?);
        let image = link_or_say(firmware, ask.model, request, folder.path())?;
        let mut options = Vec::new();
        if let Some(counter) = &self.counter {
            options.extend(counter.options(ask, &folder.path().join(COUNT))?);
        }
        let traffic = folder.path().join(TRAFFIC);
        if let Some(waits) = &self.waits {
            options.extend(waits.options(firmware, &image, ask, &traffic).map_err(of_this_kind)?);
        }
        let output = match run(&image, &options, folder.path(), ask.timeout) {
            // Reported like any other process error, so that interrupts and limits read the same on every target.
            Err(FirmwareError::Run(error)) => return Err(error.into()),
            ran => ran.map_err(of_this_kind)?,
        };
        let all_succeeded = match output.exit {
            Exit::Ok => true,
            Exit::Failed => false,
            Exit::OutOfMemory => return Err(too_large(out_of_memory(ask.model.bytes, &output))),
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
        if let Some(waits) = &self.waits {
            metrics.extend(waits.metrics(ask, &traffic).map_err(of_this_kind)?);
        }
        Ok(Answered { text: output.stdout, all_succeeded, metrics })
    }

    fn build_for_sessions(&self, _: &str) {
        if let Some(firmware) = &self.with_sessions {
            firmware.build();
        }
    }

    fn artifacts(&self, models: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        let sizes = models.iter().find_map(|model| self.sections(model)).unwrap_or_default();
        Ok(vec![Artifact { variant: None, name: "firmware", sizes }])
    }

    fn board_image(&self) -> Option<&dyn BoardImage> {
        self.board.as_deref()
    }
}

fn link(firmware: &Firmware, model: &ModelFile, request: &str, folder: &Path) -> Result<Image, FirmwareError> {
    let path = folder.join("request.txt");
    write_atomic(&path, request.as_bytes())?;
    firmware.link(&model.path, &path, &folder.join("image.elf"))
}

/// Links the firmware with a model and a request in a folder; the error says by how much they are too large.
pub(in crate::targets::kinds) fn link_or_say(
    firmware: &Firmware,
    model: &ModelFile,
    request: &str,
    folder: &Path,
) -> Result<Image, RunError> {
    match link(firmware, model, request, folder) {
        Err(FirmwareError::DoesNotFit { region, by }) => {
            let length = firmware.region(&region);
            Err(too_large(does_not_fit(model.bytes, &region, length, by)))
        }
        linked => linked.map_err(of_this_kind),
    }
}

pub(in crate::targets::kinds) fn of_this_kind(error: FirmwareError) -> RunError {
    RunError::Kind(Box::new(error))
}

pub(in crate::targets::kinds) fn too_large(reason: String) -> RunError {
    RunError::Skipped(Skip { cause: Cause::Memory, reason })
}

/// The message for a model that is too large; it names the PSRAM if that is too small.
fn does_not_fit(model: u64, region: &str, length: Option<u64>, by: u64) -> String {
    let model = model as f64 / 1e6;
    match length {
        Some(length) if region.eq_ignore_ascii_case("psram") => {
            format!("{model:.1} MB does not fit {} MB PSRAM", length >> 20)
        }
        Some(length) => format!("{model:.1} MB does not fit: {by} bytes more than the {length} bytes of `{region}`"),
        None => format!("does not fit: memory region `{region}` is too small by {by} bytes"),
    }
}

/// The message for a model that fits, and whose state, activations or tables do not.
pub(super) fn out_of_memory(model: u64, output: &RunOutput) -> String {
    let model = model as f64 / 1e6;
    match output.out_of_memory() {
        Some([bytes, used, heap]) => {
            format!("{model:.1} MB does not run: with {used} of {heap} bytes of heap in use it needs {bytes} more")
        }
        None => format!("{model:.1} MB does not run: the heap is too small"),
    }
}

#[cfg(test)]
mod tests {
    use super::does_not_fit;

    #[test]
    fn the_message_says_which_memory_is_too_small_and_by_how_much() {
        assert_eq!(does_not_fit(9_100_000, "psram", Some(8 << 20), 1), "9.1 MB does not fit 8 MB PSRAM");
        let flash = "9.1 MB does not fit: 7005 bytes more than the 2096128 bytes of `flash`";
        assert_eq!(does_not_fit(9_100_000, "flash", Some(2047 << 10), 7005), flash);
    }
}
