//! `bitstate state`: session files.

use crate::generate::has_folder;
use crate::load::ModelFlags;
use crate::output;
use crate::sampling::SamplingFlags;
use crate::text::{TextFlags, explained};
use anyhow::{Context, Result, ensure};
use bitstate::text::Need;
use bitstate::{Digest, Model, SessionFileError};
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Largest session file to read, in bytes: states and headers are small.
const LIMIT: u64 = 1 << 30;
const CHECKSUM: usize = 8;
/// The first bytes of a session file, and the version that this program supports.
const MAGIC: &str = "{\"bitstate_session\":";
const VERSION: u32 = 1;

/// Show, verify and convert session files.
///
/// `generate --save-session`, the `/save` of `chat` and the library write them; they resume on any machine, bit for bit.
#[derive(clap::Args)]
pub struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show a session file; no model is needed.
    Show {
        /// The session file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the end of its text; no model is needed.
    Text {
        /// The session file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check that it resumes with a model; checks every field.
    Verify {
        /// The session file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        model: ModelFlags,
        #[command(flatten)]
        text: TextFlags,
    },
    /// Rewrite it in the version of this program; flags can change the sampling.
    Convert(Box<ConvertFlags>),
}

#[derive(clap::Args)]
struct ConvertFlags {
    /// The session file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    text: TextFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
    /// The session file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The first line of a session file.
#[derive(Deserialize)]
struct Header {
    bitstate_session: u32,
    model: String,
    tokenizer: String,
    position: u64,
    pending: i64,
    generator: String,
    seed: u64,
    temperature: f32,
    temperature_last: bool,
    top_k: u32,
    typical_p: f32,
    top_p: f32,
    min_p: f32,
    penalty: f32,
    repetition: f32,
    presence: f32,
    frequency: f32,
    window: u32,
    bias: Vec<(u32, f32)>,
    text: String,
    state: u64,
    residual: u64,
    tokens: u64,
}

pub fn run(flags: &Flags) -> Result<()> {
    let mut out = output::stdout();
    match &flags.command {
        Command::Show { file, json: true } => writeln!(out, "{}", read(file)?.line)?,
        Command::Show { file, json: false } => show(&mut out, file)?,
        Command::Text { file } => writeln!(out, "{}", read(file)?.header.text)?,
        Command::Verify { file, model, text } => {
            read(file)?;
            let model = open(model, text)?;
            let session = model.resume_file(file)?;
            let saved = session.to_bytes();
            let bytes = bitstate_files::read(file, LIMIT).with_context(|| cannot_read(file))?;
            let same = if saved == bytes { "" } else { ", although this program would write it differently" };
            writeln!(out, "{} resumes after token {}{same}", file.display(), session.position())?;
        }
        Command::Convert(flags) => convert(&mut out, flags)?,
    }
    Ok(())
}

fn open(model: &ModelFlags, text: &TextFlags) -> Result<Model> {
    model.open_for(text, Need::IfKnown, 1).map_err(explained)
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read the session {}", path.display())
}

/// A file with a valid checksum.
struct Read {
    header: Header,
    /// The header as in the file.
    line: String,
    bytes: usize,
}

fn read(path: &Path) -> Result<Read> {
    let bytes = bitstate_files::read(path, LIMIT).with_context(|| cannot_read(path))?;
    checked(&bytes).with_context(|| path.display().to_string())
}

fn checked(bytes: &[u8]) -> Result<Read> {
    let line = bytes.split(|&byte| byte == b'\n').next().and_then(|line| line.strip_prefix(MAGIC.as_bytes()));
    let line = line.ok_or(SessionFileError::Magic)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match str::from_utf8(&line[..digits])?.parse() {
        Ok(VERSION) => {}
        Ok(found) => return Err(SessionFileError::Version { found }.into()),
        Err(_) => return Err(SessionFileError::Magic.into()),
    }
    let (body, said) = bytes.split_last_chunk::<CHECKSUM>().ok_or(SessionFileError::Magic)?;
    let (found, expected) = (Digest(u64::from_le_bytes(*said)), Digest::of(body));
    if found != expected {
        return Err(SessionFileError::Damaged { found, expected }.into());
    }
    let line = [MAGIC.as_bytes(), line].concat();
    let header = serde_json::from_slice(&line).context("its first line is not that of a session file")?;
    Ok(Read { header, line: String::from_utf8(line)?, bytes: bytes.len() })
}

fn show(out: &mut impl Write, path: &Path) -> Result<()> {
    let Read { header: h, bytes, .. } = read(path)?;
    let mut line = |name: &str, value: &str| writeln!(out, "{name:>16}  {value}");
    line("file", &path.display().to_string())?;
    line("bytes", &bytes.to_string())?;
    line("version", &h.bitstate_session.to_string())?;
    line("model", &format!("SHA-256 {}", h.model))?;
    line("tokenizer", if h.tokenizer.is_empty() { "none: token ids" } else { &h.tokenizer })?;
    let pending =
        if h.pending < 0 { String::new() } else { format!(", then {}, which the model has yet to read", h.pending) };
    line("position", &format!("{} tokens{pending}", h.position))?;
    line("generator", &h.generator)?;
    line("seed", &h.seed.to_string())?;
    let last = if h.temperature_last { ", last" } else { "" };
    line("temperature", &format!("{}{last}", h.temperature))?;
    let kept = format!("top-k {}, top-p {}, min-p {}, typical-p {}", h.top_k, h.top_p, h.min_p, h.typical_p);
    line("kept", &kept)?;
    let window = format!("over {} tokens", h.window);
    let penalties = format!("repetition {}, presence {}, frequency {}", h.repetition, h.presence, h.frequency);
    line("penalties", &format!("{} over all; {penalties} {window}", h.penalty))?;
    line("logit bias", &format!("{} tokens", h.bias.len()))?;
    line("state", &format!("{} bytes, and {} values before the head", h.state, h.residual))?;
    line("last tokens", &h.tokens.to_string())?;
    line("text", &format!("{:?}", h.text))?;
    Ok(())
}

fn convert(out: &mut impl Write, flags: &ConvertFlags) -> Result<()> {
    has_folder(&flags.out)?;
    let model = open(&flags.model, &flags.text)?;
    let mut session = model.resume_file(&flags.file)?;
    if flags.sampling.any() {
        session.set_sampling(flags.sampling.change(&model, session.sampling())?)?;
    }
    session.save(&flags.out)?;
    let resumed = model.resume_file(&flags.out)?;
    ensure!(resumed.position() == session.position(), "{} cannot be read back", flags.out.display());
    writeln!(out, "{}: {} tokens", flags.out.display(), session.position())?;
    Ok(())
}
