//! `cargo xtask image`: an image of a board's flash, with a model.

use crate::context::print_setup;
use anyhow::{Context as _, anyhow, bail};
use bitstate_harness::runs::board_image::{self, BoardError, Compared, Made};
use bitstate_harness::targets::kinds::esp32s3::read_flash;
use bitstate_harness::targets::skip::Cause;
use bitstate_harness::targets::{Cell, RunError, model_file};
use bitstate_harness::workspace::{Workspace, setup, write_atomic};
use bitstate_harness::{Error, Exit};
use bitstate_model::{AlignedBytes, Model};
use clap::Args;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest flash of a board, and so the largest image.
const LARGEST: u64 = 16 << 20;

const HELP: &str = "\
The image has bootloader, partition table, firmware and model, for the flash of an ESP32-S3 from its first byte. The firmware
takes prompts on UART0 (115,200 baud) and on USB-Serial-JTAG.

Before it is written, the image is read back, and its own bytes run under QEMU at the addresses of the chip: streams and
logits must be those of this machine and the golden ones, and a prompt that is typed must give the same text. No board was at
hand when this was made: crates/runners/esp32s3/README.md says what remains to be seen, and what to send us.

Examples:
  cargo xtask image --model golden/models/stories-byte/model.bits --out board.bin
  espflash write-bin 0x0 board.bin                  or: esptool --chip esp32s3 write-flash 0x0 board.bin
  espflash monitor                                  or any terminal; type the beginning of a story
  cargo xtask image --check board.bin               read and run an image that was made before";

/// Flags of `image`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ImageFlags {
    /// The BITS file
    #[arg(long, value_name = "FILE", required_unless_present = "check", requires = "out")]
    model: Option<PathBuf>,
    /// The image to write
    #[arg(long, value_name = "FILE", requires = "model")]
    out: Option<PathBuf>,
    /// Instead: read and run this image
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "out"])]
    check: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(flags: &ImageFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    match flags {
        ImageFlags { check: Some(file), json, .. } => check(&workspace, file, *json),
        ImageFlags { model: Some(model), out: Some(out), json, .. } => make(&workspace, model, out, *json),
        _ => bail!("--model and --out, or --check, are needed"),
    }
}

/// Makes the image of the model that answers records and runs it: the part of `test`.
pub fn try_out(workspace: &Workspace) -> anyhow::Result<String> {
    let model = workspace.root.join("golden/models/monitor/model.bits");
    match make_checked(workspace, &model)? {
        Ok(Made { records: Some(records), compared, .. }) => Ok(format!("{}; {records} records", describe(&compared))),
        Ok(_) => Err(anyhow!("{} has no recorded session", model.display())),
        Err(wrong) => Err(anyhow!(wrong)),
    }
}

fn make(workspace: &Workspace, model: &Path, out: &Path, json: bool) -> anyhow::Result<Exit> {
    if out.is_dir() {
        bail!("--out {} is a folder: name the file to write", out.display());
    }
    let made = match make_checked(workspace, model)? {
        Ok(made) => made,
        Err(wrong) => return Ok(report_wrong(&wrong)),
    };
    write_atomic(out, &made.bytes)?;
    let Made { bytes, flash_mb, app_bytes, compared, text, records } = &made;
    if json {
        let Compared { streams, golden, steps } = compared;
        let result = json!({
            "image": out, "bytes": bytes.len(), "flash_mb": flash_mb, "app_bytes": app_bytes,
            "streams": streams, "golden": golden, "steps": steps, "text": text, "records": records,
        });
        println!("{result:#}");
        return Ok(Exit::Pass);
    }
    let size = bytes.len();
    println!("{}: {size} bytes, for {flash_mb} MB of flash or more; the application has {app_bytes}", out.display());
    println!("run under QEMU: {}", describe(compared));
    if let Some(text) = text {
        println!("typed on USB, `Once upon a time` gives the same text: {:?}", format!("Once upon a time{text}"));
    }
    if let Some(records) = records {
        println!("typed on USB after `:records`, {records} records get the recorded answers");
    }
    println!("to flash it: espflash write-bin 0x0 {}", out.display());
    println!("No board was at hand: crates/runners/esp32s3/README.md says what to send us when you try it.");
    Ok(Exit::Pass)
}

/// The image of a model; the inner error is a wrong answer.
fn make_checked(workspace: &Workspace, path: &Path) -> anyhow::Result<Result<Made, String>> {
    let named = || format!("cannot use the model {}", path.display());
    let bytes = AlignedBytes::read_model(path).with_context(named)?;
    if bytes.len() as u64 > LARGEST {
        let (has, by) = (bytes.len(), bytes.len() as u64 - LARGEST);
        bail!(
            "{}: the model's {has} bytes are {by} more than the {LARGEST} bytes of the largest flash",
            path.display()
        );
    }
    let vocab_size = Model::parse(&bytes).with_context(named)?.config.vocab_size;
    let file = model_file(&path.display().to_string(), path)?;
    set_up(workspace)?;
    sorted(path, board_image::make(workspace, &file, vocab_size))
}

fn check(workspace: &Workspace, path: &Path, json: bool) -> anyhow::Result<Exit> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > LARGEST {
        bail!("{}: more than the {LARGEST} bytes of the largest flash", path.display());
    }
    // Before anything is built.
    read_flash(&bytes).with_context(|| format!("cannot use {}", path.display()))?;
    set_up(workspace)?;
    let compared = match sorted(path, board_image::check(workspace, &bytes))? {
        Ok(compared) => compared,
        Err(wrong) => return Ok(report_wrong(&wrong)),
    };
    if json {
        let Compared { streams, golden, steps } = compared;
        println!("{:#}", json!({"image": path, "streams": streams, "golden": golden, "steps": steps}));
    } else {
        println!("{} runs under QEMU: {}", path.display(), describe(&compared));
    }
    Ok(Exit::Pass)
}

fn describe(compared: &Compared) -> String {
    let Compared { streams, golden, steps } = compared;
    format!("{streams} streams of {steps} tokens, bit for bit, {golden} of them golden")
}

fn report_wrong(wrong: &str) -> Exit {
    println!("WRONG  {wrong}");
    Exit::WrongAnswer
}

/// Separates wrong answers from errors, which get the file's name.
fn sorted<T>(path: &Path, result: Result<T, BoardError>) -> anyhow::Result<Result<T, String>> {
    match result {
        Ok(made) => Ok(Ok(made)),
        Err(BoardError::Wrong(what)) => Ok(Err(format!("{}: {what}", path.display()))),
        Err(BoardError::Harness(error)) => Err(error.into()),
        Err(BoardError::Run(RunError::Harness(error))) => Err(error.into()),
        Err(BoardError::Run(RunError::Skipped(skip))) if skip.cause == Cause::Memory => {
            Err(anyhow!("{} is too large for an ESP32-S3: {}", path.display(), skip.reason))
        }
        Err(BoardError::Run(RunError::Process(_))) if bitstate_harness::workspace::process::interrupted() => {
            Err(Error::Interrupted.into())
        }
        Err(BoardError::Run(error)) => Err(anyhow!("{}: {error}", path.display())),
    }
}

/// Installs the tools of the board's target, or says how to.
fn set_up(workspace: &Workspace) -> anyhow::Result<()> {
    let cells: Vec<Cell> = Cell::all().filter(|cell| cell.target.name == "esp32s3").collect();
    let needed: Vec<_> = cells.iter().flat_map(|cell| cell.target.needs.iter().copied()).collect();
    print_setup(&setup::set_up(workspace, &needed)?, &cells);
    Ok(())
}
