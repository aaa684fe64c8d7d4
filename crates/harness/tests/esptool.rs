//! Espressif's own tool reads an image of ours, as a reader that nobody here wrote. Without Python or a package index the
//! test is ignored with the reason.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "pip reads its package index from the environment; nothing is counted here"
)]

#[path = "support/elf.rs"]
mod elf;

use bitstate_harness::targets::kinds::esp32s3::{build_image, read_flash};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The version that is installed.
const PACKAGE: &str = "esptool==5.6.0";
/// Where the application is.
const APP: usize = 0x1_0000;

fn main() -> ExitCode {
    let tests = vec![Trial::ignorable_test("esptool_reads_an_image", read)];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// The output of a program, or why it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// Python with esptool, installed once, or why there is none.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("esptool");
    let (done, python) = (folder.join("installed.txt"), folder.join("bin/python"));
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == PACKAGE) {
        return Ok(python);
    }
    let last = |said: String| said.trim().lines().last().unwrap_or_default().to_string();
    output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .map_err(|said| format!("no virtual environment (python3-venv): {}", last(said)))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    output(&mut pip).map_err(|said| format!("pip cannot install {PACKAGE}: {}", last(said)))?;
    std::fs::write(done, PACKAGE).unwrap();
    Ok(python)
}

fn read() -> Result<Completion, Failed> {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    let image = build_image(&elf::elf(0x4200_0100, &elf::sections(200_000)))?;
    let folder = tempfile::tempdir()?;
    let info = |bytes: &[u8]| {
        let file = folder.path().join("app.bin");
        std::fs::write(&file, bytes).unwrap();
        output(Command::new(&python).args(["-m", "esptool", "--chip", "esp32s3", "image-info"]).arg(&file))
    };
    let said = info(&image.bytes[APP..])?;
    let words: Vec<&str> = said.split_whitespace().collect();
    let said = words.join(" ");
    for expected in [
        "Chip ID: 9 (ESP32-S3)",
        "Entry point: 0x42000100",
        "(valid)",
        "Flash size: 4MB",
        "Flash freq: 80m",
        "Flash mode: DIO",
    ] {
        assert!(said.contains(expected), "no `{expected}` in {said}");
    }
    assert!(said.matches("(valid)").count() == 2 && !said.contains("invalid"), "checksum and hash: {said}");
    // Its segments are those that our own reader finds.
    let app = read_flash(&image.bytes)?;
    for segment in &app.segments {
        let (address, length) = (format!("{:#010x}", segment.address), format!("{:#07x}", segment.bytes.len()));
        assert!(words.windows(2).any(|pair| pair == [&length, &address]), "no segment {length} {address} in {said}");
    }
    // The bootloader at the start of the flash, whose header was changed, is whole too.
    let boot = info(&image.bytes)?;
    assert!(boot.matches("(valid)").count() == 2 && !boot.contains("invalid"), "{boot}");
    // And it tells a damaged one, so that this test can fail.
    let mut damaged = image.bytes[APP..].to_vec();
    damaged[0x1000] ^= 1;
    let said = info(&damaged).unwrap_or_else(|said| said);
    assert!(said.contains("invalid"), "{said}");
    Ok(Completion::Completed)
}
