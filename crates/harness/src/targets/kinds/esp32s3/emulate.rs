//! Runs the bytes of an image under QEMU at the addresses of the chip.

use super::debugger::Debugger;
pub use super::ports::Port;
use super::ports::Ports;
use super::reader::App;
use crate::targets::kinds::firmware::{Error, HALTED, MOST, PROMPT, session};
use crate::workspace::environment::command;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

/// The variables of the firmware and its heap, as in `crates/runners/esp32s3/link.ld`: filled with a pattern first, because
/// SRAM holds anything after reset.
const SRAM: std::ops::Range<u32> = 0x3fc8_8400..0x3fce_d710;
const JUNK: u8 = 0xa5;

/// A terminal session: the firmware starts, and each line is typed when it waits for one. Returns what the terminal shows,
/// up to the prompt after the last line, or up to the end if the firmware gives up; `\r` is left out.
///
/// # Errors
/// If the emulator fails, the firmware does something that the chip does not allow, or the time is over.
pub fn emulate(
    emulator: &(impl AsRef<Path> + ?Sized),
    options: &[String],
    app: &App,
    port: Port,
    lines: &[&str],
    folder: &Path,
    time: Duration,
) -> Result<Vec<u8>, Error> {
    let mut command = command(emulator.as_ref());
    command.current_dir(folder).args(options);
    command.args(["-display", "none", "-monitor", "none", "-serial", "none", "-no-reboot", "-S", "-gdb", "stdio"]);
    // Stops at watched addresses retranslate code again and again: by default, into a gigabyte.
    command.args(["-accel", "tcg,tb-size=64"]);
    for loader in loaders(app, folder)? {
        command.arg("-device").arg(loader);
    }
    session(&mut command, time, |to, from| talk(Debugger::new(from, to), port, lines))
}

fn talk<R: Read, W: Write>(chip: Debugger<R, W>, port: Port, lines: &[&str]) -> io::Result<Vec<u8>> {
    let mut ports = Ports::new(chip, port)?;
    let mut lines = lines.iter();
    let mut seen = 0;
    let mut started = false;
    loop {
        let shown: Vec<u8> = ports.shown()[seen..].iter().copied().filter(|byte| *byte != b'\r').collect();
        if shown.ends_with(HALTED) {
            break;
        }
        if shown.ends_with(PROMPT) {
            if !started {
                ports.check_start()?;
                started = true;
            }
            let Some(line) = lines.next() else { break };
            seen = ports.shown().len();
            ports.enter(&format!("{line}\r"))?;
        }
        if ports.shown().len() > MOST {
            return Err(io::Error::other(format!("the firmware prints more than {MOST} bytes")));
        }
        ports.step()?;
    }
    Ok(ports.shown().iter().copied().filter(|byte| *byte != b'\r').collect())
}

/// Loads each segment of the image, junk into the rest of SRAM, and a jump to the image's entry at the reset vector of the
/// emulated core.
fn loaders(app: &App, folder: &Path) -> Result<Vec<OsString>, Error> {
    let mut jump = vec![0x06, 0x01, 0x00, 0x00]; // j 8
    jump.extend(app.entry.to_le_bytes());
    jump.extend([0x01, 0xff, 0xff, 0xa0, 0x00, 0x00]); // l32r a0, 4; jx a0
    let mut parts: Vec<(u32, &[u8])> = vec![(0xfe00_0000, &jump)];
    parts.extend(app.segments.iter().map(|segment| (segment.address, segment.bytes)));
    let loaded = app.segments.iter().map(|segment| segment.addresses().end).filter(|end| SRAM.contains(end)).max();
    let free = loaded.unwrap_or(SRAM.start);
    let junk = vec![JUNK; (SRAM.end - free) as usize];
    parts.push((free, &junk));
    let mut loaders = Vec::new();
    for (number, (address, bytes)) in parts.into_iter().enumerate() {
        let name = format!("segment-{number}.bin");
        let path = folder.join(&name);
        fs::write(&path, bytes).map_err(Error::io("write", &path))?;
        loaders.push(format!("loader,file={name},addr={address:#x},force-raw=on").into());
    }
    Ok(loaders)
}
