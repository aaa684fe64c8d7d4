//! `cargo xtask image`: an image of a board's flash, with a model.

use crate::context::print_setup;
use anyhow::{Context as _, anyhow, bail};
use bitstate_harness::runs::board_image::{self, BoardError, Compared, Made, Records};
use bitstate_harness::targets::kinds::esp32s3::read_flash;
use bitstate_harness::targets::skip::Cause;
use bitstate_harness::targets::{Cell, Flash, RunError, model_file};
use bitstate_harness::workspace::{Workspace, setup, write_atomic};
use bitstate_harness::{Error, Exit};
use bitstate_model::{AlignedBytes, Model};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest flash of an ESP32-S3 board, and the largest image that is read.
const LARGEST: u64 = 16 << 20;
/// Tokens of a model that is trained on bytes.
const BYTES: usize = 256;

const HELP: &str = "\
The firmware takes lines on a serial port (115,200 baud): it continues texts, `:records` answers each line by itself, `:test`
runs the golden streams of the model, `:help` lists the rest. Records need a model whose tokens are bytes.

  esp32s3    the flash of an ESP32-S3 from its first byte: bootloader, partition table, firmware and model. UART0 and
             USB-Serial-JTAG
  cortex-m4  an ELF file, or Intel HEX if FILE ends in .hex, for Arm's board MPS2 with image AN386, with the sizes of memory
             of an STM32L4R5. No clocks and pins of another chip are set up: crates/runners/cortex-m/README.md says what a
             board of your own needs, four functions and a memory map

Before it is written, the image's own bytes run under QEMU at the addresses of the board: streams and logits must be those of
this machine and the golden ones, and a prompt and the recorded session of a model that are typed must be answered in the same
way. No board was at hand when this was made: the README of crates/runners/esp32s3 and of crates/runners/cortex-m say what
remains to be seen.

Examples:
  cargo xtask image --model golden/models/stories-byte/model.bits --out board.bin
  espflash write-bin 0x0 board.bin                  or: esptool --chip esp32s3 write-flash 0x0 board.bin
  espflash monitor                                  or any terminal; type the beginning of a story
  cargo xtask image --board cortex-m4 --model golden/models/monitor/model.bits --out board.elf
  qemu-system-arm -M mps2-an386 -nic none -display none -serial stdio -device loader,file=board.elf
  cargo xtask image --check board.bin               run an image that was made before";

/// Flags of `image`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ImageFlags {
    /// The board
    #[arg(long, value_enum, default_value_t = Board::Esp32s3)]
    board: Board,
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

/// A board that images are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Board {
    Esp32s3,
    CortexM4,
}

impl Board {
    /// Its target.
    pub fn target(self) -> &'static str {
        match self {
            Board::Esp32s3 => "esp32s3",
            Board::CortexM4 => "cortex-m4",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Board::Esp32s3 => "an ESP32-S3",
            Board::CortexM4 => "a Cortex-M4 with the memory of an STM32L4R5",
        }
    }

    /// The port on which a terminal is.
    fn port(self) -> &'static str {
        match self {
            Board::Esp32s3 => "USB",
            Board::CortexM4 => "UART0",
        }
    }

    /// What to do with the image.
    fn next(self, out: &Path) -> String {
        let out = out.display();
        match self {
            Board::Esp32s3 => format!(
                "to flash it: espflash write-bin 0x0 {out}\n\
                 No board was at hand: crates/runners/esp32s3/README.md says what to send us when you try it."
            ),
            Board::CortexM4 => format!(
                "to talk to it: qemu-system-arm -M mps2-an386 -nic none -display none -serial stdio -device loader,file={out}\n\
                 It is for the board MPS2 with image AN386, and no board was at hand: crates/runners/cortex-m/README.md says \
                 what another board needs."
            ),
        }
    }

    /// Whether the image is Intel HEX.
    fn is_hex(self, out: &Path) -> anyhow::Result<bool> {
        let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match (self, ending) {
            (Board::Esp32s3, "hex" | "elf") => {
                bail!("--out {}: the image for an ESP32-S3 is neither ELF nor Intel HEX; name it .bin", out.display())
            }
            (Board::CortexM4, "elf" | "hex") => Ok(ending == "hex"),
            (Board::CortexM4, _) => bail!("--out {}: name a file that ends in .elf or in .hex", out.display()),
            (Board::Esp32s3, _) => Ok(false),
        }
    }
}

pub fn run(flags: &ImageFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    match flags {
        ImageFlags { board, check: Some(file), json, .. } => check(&workspace, *board, file, *json),
        ImageFlags { board, model: Some(model), out: Some(out), json, .. } => {
            make(&workspace, *board, model, out, *json)
        }
        _ => bail!("--model and --out, or --check, are needed"),
    }
}

/// Makes the image of the model that answers records and runs it: the part of `test`.
pub fn try_out(workspace: &Workspace, board: Board) -> anyhow::Result<String> {
    let model = workspace.root.join("golden/models/monitor/model.bits");
    match make_checked(workspace, board, &model, false)? {
        Ok((_, Made { records: Some(records), compared, .. })) => {
            Ok(format!("{}; {} records", describe(&compared), records.count))
        }
        Ok(_) => Err(anyhow!("{} has no recorded session", model.display())),
        Err(wrong) => Err(anyhow!(wrong)),
    }
}

fn make(workspace: &Workspace, board: Board, model: &Path, out: &Path, json: bool) -> anyhow::Result<Exit> {
    if out.is_dir() {
        bail!("--out {} is a folder: name the file to write", out.display());
    }
    let is_hex = board.is_hex(out)?;
    let (vocab_size, made) = match make_checked(workspace, board, model, is_hex)? {
        Ok(made) => made,
        Err(wrong) => return Ok(report_wrong(&wrong)),
    };
    let Made { flash: Flash { bytes, flash_mb, app_bytes }, compared, text, records } = &made;
    write_atomic(out, bytes)?;
    if json {
        let Compared { streams, golden, steps } = compared;
        let mut result = json!({
            "image": out, "bytes": bytes.len(), "flash_mb": flash_mb, "app_bytes": app_bytes,
            "streams": streams, "golden": golden, "steps": steps, "text": text, "records": records.map(|of| of.count),
        });
        if let Some(instructions) = records.and_then(|of| of.instructions) {
            result["instructions_an_answer"] = instructions.into();
        }
        println!("{result:#}");
        return Ok(Exit::Pass);
    }
    let size = bytes.len();
    println!("{}: {size} bytes, for {flash_mb} MB of flash or more; the application has {app_bytes}", out.display());
    println!("run under QEMU: {}", describe(compared));
    let port = board.port();
    if let Some(text) = text {
        println!("typed on {port}, `Once upon a time` gives the same text: {:?}", format!("Once upon a time{text}"));
    }
    if let Some(Records { count, instructions }) = records {
        let each = instructions.map(|each| format!(", at {each} instructions each")).unwrap_or_default();
        println!("typed on {port} after `:records`, {count} records get the recorded answers{each}");
    }
    if vocab_size != BYTES {
        println!("the tokens of this model are not bytes: there are no records, and prompts and texts are token ids");
    }
    println!("{}", board.next(out));
    Ok(Exit::Pass)
}

/// The image of a model, and its number of tokens; the inner error is a wrong answer.
fn make_checked(
    workspace: &Workspace,
    board: Board,
    path: &Path,
    is_hex: bool,
) -> anyhow::Result<Result<(usize, Made), String>> {
    let named = || format!("cannot use the model {}", path.display());
    let bytes = AlignedBytes::read_model(path).with_context(named)?;
    if board == Board::Esp32s3 && bytes.len() as u64 > LARGEST {
        let (has, by) = (bytes.len(), bytes.len() as u64 - LARGEST);
        bail!(
            "{}: the model's {has} bytes are {by} more than the {LARGEST} bytes of the largest flash",
            path.display()
        );
    }
    let vocab_size = Model::parse(&bytes).with_context(named)?.config.vocab_size;
    let file = model_file(&path.display().to_string(), path)?;
    set_up(workspace, board)?;
    let made = sorted(board, path, board_image::make(workspace, board.target(), &file, vocab_size, is_hex))?;
    Ok(made.map(|made| (vocab_size, made)))
}

fn check(workspace: &Workspace, board: Board, path: &Path, json: bool) -> anyhow::Result<Exit> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > LARGEST {
        bail!("{}: more than {LARGEST} bytes, the size of the largest image", path.display());
    }
    if board == Board::Esp32s3 {
        // Before anything is built.
        read_flash(&bytes).with_context(|| format!("cannot use {}", path.display()))?;
    }
    set_up(workspace, board)?;
    let compared = match sorted(board, path, board_image::check(workspace, board.target(), &bytes))? {
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
fn sorted<T>(board: Board, path: &Path, result: Result<T, BoardError>) -> anyhow::Result<Result<T, String>> {
    match result {
        Ok(made) => Ok(Ok(made)),
        Err(BoardError::Wrong(what)) => Ok(Err(format!("{}: {what}", path.display()))),
        Err(BoardError::Harness(error)) => Err(error.into()),
        Err(BoardError::Run(RunError::Harness(error))) => Err(error.into()),
        Err(BoardError::Run(RunError::Skipped(skip))) if skip.cause == Cause::Memory => {
            Err(anyhow!("{} is too large for {}: {}", path.display(), board.name(), skip.reason))
        }
        Err(BoardError::Run(RunError::Process(_))) if bitstate_harness::workspace::process::interrupted() => {
            Err(Error::Interrupted.into())
        }
        Err(BoardError::Run(error)) => Err(anyhow!("{}: {error}", path.display())),
    }
}

/// Installs the tools of the board's target, or says how to.
fn set_up(workspace: &Workspace, board: Board) -> anyhow::Result<()> {
    let cells: Vec<Cell> = Cell::all().filter(|cell| cell.target.name == board.target()).collect();
    let needed: Vec<_> = cells.iter().flat_map(|cell| cell.target.needs.iter().copied()).collect();
    print_setup(&setup::set_up(workspace, &needed)?, &cells);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Board;
    use std::path::Path;

    #[test]
    fn the_ending_of_the_file_says_its_form() {
        let form = |board: Board, out: &str| board.is_hex(Path::new(out)).map_err(|error| error.to_string());
        assert_eq!(form(Board::CortexM4, "a/board.elf"), Ok(false));
        assert_eq!(form(Board::CortexM4, "board.hex"), Ok(true));
        assert_eq!(form(Board::Esp32s3, "board.bin"), Ok(false));
        assert_eq!(form(Board::Esp32s3, "board"), Ok(false));
        assert_eq!(
            form(Board::CortexM4, "b.bin").unwrap_err(),
            "--out b.bin: name a file that ends in .elf or in .hex"
        );
        assert!(form(Board::Esp32s3, "board.hex").unwrap_err().ends_with("name it .bin"));
    }
}
