//! Images with a console on the serial port of the machine: linked, and run as they are.

use crate::targets::kind::{Answered, BoardImage, Flash};
use crate::targets::kinds::firmware::{
    Error as FirmwareError, Firmware, HALTED, MOST, PROMPT, link_or_say, of_this_kind, run_tool, session, test_answer,
};
use crate::targets::kinds::lazy::Lazy;
use crate::targets::request::{ModelFile, RunError};
use crate::workspace::environment::command;
use crate::workspace::error::Error;
use crate::workspace::{make_folder, write_atomic};
use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

/// The first bytes of an ELF file, and of an Intel HEX file.
const FORMATS: [&[u8]; 2] = [b"\x7fELF", b":"];
/// The image, in the folder of a run.
const IMAGE: &str = "board.image";
/// The emulator's clock: an instruction takes 1 ns, and a cycle of the machines' 25 MHz 40.
const CLOCK: [&str; 2] = ["-icount", "shift=0"];
const INSTRUCTIONS_A_CYCLE: u64 = 40;

/// Makes images and runs them.
#[derive(Debug)]
pub(super) struct Serial {
    /// The objects.
    pub firmware: Lazy<Firmware>,
    /// The emulator, and its machine.
    pub emulator: &'static str,
    /// See `emulator`.
    pub machine: &'static str,
    /// Folder for what is only needed for a moment.
    pub scratch: PathBuf,
}

impl Serial {
    fn folder(&self) -> Result<tempfile::TempDir, Error> {
        make_folder(&self.scratch)?;
        tempfile::tempdir_in(&self.scratch).map_err(Error::io("make a folder in", &self.scratch))
    }
}

impl BoardImage for Serial {
    fn flash_image(&self, model: &ModelFile, request: &str, is_hex: bool) -> Result<Flash, RunError> {
        let (folder, firmware) = (self.folder()?, self.firmware.get()?);
        let linked = link_or_say(firmware, model, request, folder.path())?;
        let of_flash = ["vectors", "flash"];
        let used = linked.sections().regions.iter().filter(|region| of_flash.contains(&region.name.as_str()));
        let app_bytes = used.map(|region| region.used as usize).sum();
        let flash: u64 = of_flash.iter().filter_map(|name| firmware.region(name)).sum();
        let mut path = linked.path().to_path_buf();
        if is_hex {
            let elf = std::mem::replace(&mut path, folder.path().join("image.hex"));
            let mut command = command("llvm-objcopy-22");
            run_tool(command.args(["-O", "ihex"]).arg(elf).arg(&path), &path.with_extension("hex.log"))
                .map_err(of_this_kind)?;
        }
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        Ok(Flash { bytes, flash_mb: (flash >> 20) as u32, app_bytes })
    }

    fn answer(&self, flash: &[u8], model: u64, time: Duration) -> Result<Answered, RunError> {
        test_answer(&self.terminal(flash, &[":test"], time)?, model)
    }

    fn terminal(&self, flash: &[u8], lines: &[&str], time: Duration) -> Result<Vec<u8>, RunError> {
        if !FORMATS.iter().any(|format| flash.starts_with(format)) {
            return Err(RunError::Kind("neither an ELF nor an Intel HEX file".into()));
        }
        let folder = self.folder()?;
        write_atomic(&folder.path().join(IMAGE), flash)?;
        let mut command = command(self.emulator);
        command.current_dir(folder.path()).args(["-M", self.machine]).args(CLOCK);
        command.args(["-nic", "none", "-display", "none", "-monitor", "none", "-no-reboot", "-serial", "stdio"]);
        // Loaded where it says, and nothing else: the core starts as after reset.
        command.arg("-device").arg(format!("loader,file={IMAGE}"));
        match session(&mut command, time, |to, from| talk(to, from, lines)) {
            Err(FirmwareError::Run(error)) => Err(error.into()),
            shown => shown.map_err(of_this_kind),
        }
    }

    fn instructions_a_cycle(&self) -> Option<u64> {
        Some(INSTRUCTIONS_A_CYCLE)
    }
}

/// Types a line each time that the firmware waits for one; returns what it shows, without `\r`, up to the prompt after the
/// last line, or up to the end if it gives up.
fn talk(mut to: impl Write, mut from: impl Read, lines: &[&str]) -> io::Result<Vec<u8>> {
    let (mut shown, mut lines) = (Vec::new(), lines.iter());
    let (mut seen, mut buffer) = (0, [0; 4096]);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            let shown = String::from_utf8_lossy(&shown).into_owned();
            return Err(io::Error::other(format!("the emulator ended; the terminal shows {shown:?}")));
        }
        shown.extend(buffer.iter().take(count).filter(|byte| **byte != b'\r'));
        let new = shown.get(seen..).unwrap_or_default();
        if new.ends_with(HALTED) {
            return Ok(shown);
        }
        if new.ends_with(PROMPT) {
            let Some(line) = lines.next() else { return Ok(shown) };
            seen = shown.len();
            to.write_all(format!("{line}\r").as_bytes())?;
        }
        if shown.len() > MOST {
            return Err(io::Error::other(format!("the firmware prints more than {MOST} bytes")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BoardImage, Duration, Lazy, Serial, talk};

    /// Gives a piece at a time, as firmware does that waits for what is typed.
    struct Pieces<'a>(&'a [&'a str]);

    impl std::io::Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let Some((piece, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            buffer[..piece.len()].copy_from_slice(piece.as_bytes());
            Ok(piece.len())
        }
    }

    #[test]
    fn a_line_is_typed_when_the_firmware_waits_for_one() {
        let mut typed = Vec::new();
        let said = ["\r\nhe", "llo\r\n>", " ", "a > b\r\nB\r\n> ", "c\r", "\nC\r\n> ", "not read"];
        let shown = talk(&mut typed, Pieces(&said), &["a > b", "c"]).unwrap();
        assert_eq!(typed, b"a > b\rc\r");
        assert_eq!(shown, b"\nhello\n> a > b\nB\n> c\nC\n> ");
    }

    #[test]
    fn firmware_that_stops_ends_the_session_and_an_emulator_that_ends_is_an_error() {
        let mut typed = Vec::new();
        let halted = ["\r\nhalted with status=101; ", "reset the board\r\n", "not read"];
        assert!(talk(&mut typed, Pieces(&halted), &["a"]).unwrap().ends_with(b"board\n"));
        let ended = talk(&mut typed, Pieces(&["\r\nhello"]), &["a"]).unwrap_err().to_string();
        assert!(ended.contains("ended") && ended.contains("hello") && typed.is_empty(), "{ended}");
    }

    #[test]
    fn what_is_no_image_is_not_run() {
        let firmware = Lazy::new(|| Err("not needed".into()));
        let serial = Serial { firmware, emulator: "/nowhere", machine: "m", scratch: std::env::temp_dir() };
        let refused = |image: &[u8]| serial.answer(image, 0, Duration::ZERO).unwrap_err().to_string();
        assert_eq!(refused(b"\xe9\x03"), "neither an ELF nor an Intel HEX file");
        assert_eq!(refused(b""), "neither an ELF nor an Intel HEX file");
    }
}
