//! An image for every request: linked, made, read back and run.

use super::emulate::{Port, emulate};
use super::flash::{FlashImage, build_image};
use super::reader::read_flash;
use crate::targets::kind::{Answered, Artifact, BoardImage, Flash, Launch};
use crate::targets::kinds::firmware::{Error as FirmwareError, Exit, Firmware, RunOutput, does_not_fit, out_of_memory};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::targets::skip::{Cause, Skip};
use crate::workspace::error::Error;
use crate::workspace::{make_folder, write_atomic};
use std::path::PathBuf;
use std::time::Duration;

/// Everything needed to make images and to run them.
#[derive(Debug)]
pub(super) struct Maker {
    /// The objects.
    pub firmware: Firmware,
    /// Folder for what is only needed for a moment.
    pub scratch: PathBuf,
}

impl Maker {
    fn folder(&self) -> Result<tempfile::TempDir, Error> {
        make_folder(&self.scratch)?;
        tempfile::tempdir_in(&self.scratch).map_err(Error::io("make a folder in", &self.scratch))
    }

    /// The bytes that a terminal shows.
    fn session(&self, flash: &[u8], port: Port, lines: &[&str], time: Duration) -> Result<Vec<u8>, RunError> {
        let folder = self.folder()?;
        let app = read_flash(flash).map_err(|error| RunError::Kind(Box::new(error)))?;
        let (emulator, options) = &self.firmware.tools.emulator;
        match emulate(emulator, options, &app, port, lines, folder.path(), time) {
            Err(FirmwareError::Run(error)) => Err(error.into()),
            shown => shown.map_err(of_this_kind),
        }
    }
}

impl BoardImage for Maker {
    fn flash_image(&self, model: &ModelFile, request: &str) -> Result<Flash, RunError> {
        let folder = self.folder()?;
        let path = folder.path().join("request.txt");
        write_atomic(&path, request.as_bytes())?;
        let image = match self.firmware.link(&model.path, &path, &folder.path().join("image.elf")) {
            Err(FirmwareError::DoesNotFit { region, by }) => {
                let length = self.firmware.region(&region);
                return Err(too_large(does_not_fit(model.bytes, &region, length, by)));
            }
            linked => linked.map_err(of_this_kind)?,
        };
        let elf = std::fs::read(image.path()).map_err(Error::io("read", image.path()))?;
        let image = build_image(&elf).map_err(too_large)?;
        let app_bytes = image.app().map_err(|error| RunError::Kind(Box::new(error)))?.length;
        let FlashImage { bytes, flash_mb } = image;
        Ok(Flash { bytes, flash_mb, app_bytes })
    }

    fn answer(&self, flash: &[u8], model: u64, time: Duration) -> Result<Answered, RunError> {
        let shown = self.session(flash, Port::Uart, &[":test"], time)?;
        let shown = String::from_utf8_lossy(&shown).into_owned();
        let output = RunOutput { stdout: String::new(), stderr: shown, exit: Exit::OutOfMemory };
        if output.out_of_memory().is_some() {
            return Err(too_large(out_of_memory(model, &output)));
        }
        let shown = output.stderr;
        // From the answer's first line to the last one of the firmware itself.
        let answer = shown.find("\nbitstate version=").and_then(|start| shown.get(start + 1..));
        let status = shown.lines().rev().find_map(|line| line.strip_prefix("status="));
        let (Some(answer), Some(status)) = (answer, status) else {
            let status = String::from("no answer");
            return Err(RunError::Status { status, stderr: crate::workspace::process::tail(&shown, 5) });
        };
        let end = answer.find("\nend ").and_then(|at| Some(at + 1 + answer.get(at + 1..)?.find('\n')? + 1));
        let text = answer.get(..end.unwrap_or(answer.len())).unwrap_or(answer).to_string();
        match status {
            "0" | "1" => Ok(Answered { text, all_succeeded: status == "0", metrics: Vec::new() }),
            other => Err(RunError::Status { status: other.into(), stderr: crate::workspace::process::tail(&shown, 5) }),
        }
    }

    fn terminal(&self, flash: &[u8], lines: &[&str], time: Duration) -> Result<Vec<u8>, RunError> {
        self.session(flash, Port::Usb, lines, time)
    }
}

impl Launch for Maker {
    fn launch(&self, _: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        let flash = self.flash_image(ask.model, request)?;
        self.answer(&flash.bytes, ask.model.bytes, ask.timeout)
    }

    fn artifacts(&self, _: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        Ok(Vec::new())
    }

    fn board_image(&self) -> Option<&dyn BoardImage> {
        Some(self)
    }
}

fn of_this_kind(error: FirmwareError) -> RunError {
    RunError::Kind(Box::new(error))
}

fn too_large(reason: String) -> RunError {
    RunError::Skipped(Skip { cause: Cause::Memory, reason })
}
