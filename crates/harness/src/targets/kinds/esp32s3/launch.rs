//! An image for every request: linked, made, read back and run.

use super::emulate::{Port, emulate};
use super::flash::{FlashImage, build_image};
use super::reader::read_flash;
use crate::targets::kind::{Answered, Artifact, BoardImage, Flash, Launch};
use crate::targets::kinds::firmware::{
    Error as FirmwareError, Firmware, link_or_say, of_this_kind, test_answer, too_large,
};
use crate::targets::request::{ModelFile, RunError, RunRequest};
use crate::workspace::error::Error;
use crate::workspace::make_folder;
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
    fn flash_image(&self, model: &ModelFile, request: &str, _: bool) -> Result<Flash, RunError> {
        let folder = self.folder()?;
        let image = link_or_say(&self.firmware, model, request, folder.path())?;
        let elf = std::fs::read(image.path()).map_err(Error::io("read", image.path()))?;
        let image = build_image(&elf).map_err(too_large)?;
        let app_bytes = image.app().map_err(|error| RunError::Kind(Box::new(error)))?.length;
        let FlashImage { bytes, flash_mb } = image;
        Ok(Flash { bytes, flash_mb, app_bytes })
    }

    fn answer(&self, flash: &[u8], model: u64, time: Duration) -> Result<Answered, RunError> {
        let shown = self.session(flash, Port::Uart, &[":test"], time)?;
        test_answer(&shown, model)
    }

    fn terminal(&self, flash: &[u8], lines: &[&str], time: Duration) -> Result<Vec<u8>, RunError> {
        self.session(flash, Port::Usb, lines, time)
    }
}

impl Launch for Maker {
    fn launch(&self, _: &str, request: &str, ask: &RunRequest) -> Result<Answered, RunError> {
        let flash = self.flash_image(ask.model, request, false)?;
        self.answer(&flash.bytes, ask.model.bytes, ask.timeout)
    }

    fn artifacts(&self, _: &[&ModelFile]) -> Result<Vec<Artifact>, Error> {
        Ok(Vec::new())
    }

    fn board_image(&self) -> Option<&dyn BoardImage> {
        Some(self)
    }
}
