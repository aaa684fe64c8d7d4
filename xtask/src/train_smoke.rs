//! `cargo xtask train-smoke`: a tiny model, from generated stories to a file that the engine runs.

use anyhow::{Context, ensure};
use bitstate_harness::workspace::cargo::host_program_with;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::workspace::{Workspace, environment, make_folder, read_text, write_atomic};
use bitstate_harness::{Error, Exit};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Steps of the run: half a minute to a minute on two cores.
const STEPS: u64 = 150;

/// The largest final cross entropy, in nats per byte. It starts at ln 256 = 5.5; a model that knows only the frequencies of
/// bytes reaches 3.
const LEARNED: f64 = 1.5;

/// Largest difference between engine and trainer on the same model, in bits per byte.
const AGREED: f64 = 0.001;

/// The folder of the run.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.scratch().join("train-smoke")
}

/// The model of the last run, and a text for it.
pub fn result(workspace: &Workspace) -> [PathBuf; 2] {
    ["smoke.bits", "stories.txt"].map(|name| folder(workspace).join(name))
}

pub fn run() -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let folder = folder(&workspace);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    make_folder(&folder)?;
    let bitstate = build(&workspace)?;
    let smoke = Smoke { workspace, folder, bitstate };
    match smoke.check() {
        Ok(said) => {
            println!("ok  {said}");
            Ok(Exit::Pass)
        }
        Err(error) => {
            println!("FAILED  train-smoke: {error:#}");
            Ok(Exit::WrongAnswer)
        }
    }
}

/// Builds the command with its trainer.
pub fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    // With the features of its tests, so that it is compiled once.
    host_program_with(workspace, "bitstate-cli", &["--features", "download"])
}

struct Smoke {
    workspace: Workspace,
    folder: PathBuf,
    bitstate: PathBuf,
}

impl Smoke {
    fn run<S: AsRef<OsStr>>(&self, what: &str, arguments: impl IntoIterator<Item = S>) -> Result<String, Error> {
        let mut command = environment::command(&self.bitstate);
        Ok(logged(&self.workspace, what, command.args(arguments))?.stdout)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Trains, and returns a summary.
    fn check(&self) -> anyhow::Result<String> {
        let [stories, data, config, model] =
            ["stories.txt", "data", "train.toml", "smoke.bits"].map(|name| self.path(name));
        let flags = |name: &str, path: &Path| [name.into(), path.as_os_str().to_owned()];
        self.run("smoke stories", ["data".into(), "smoke".into()].into_iter().chain(flags("--out", &stories)))?;
        let files = flags("--input", &stories).into_iter().chain(flags("--out", &data));
        self.run("smoke data", ["data".into(), "prepare".into()].into_iter().chain(files))?;
        let toml = format!(
            "data = \"data\"\nout = \"run\"\nsteps = {STEPS}\n\n[model]\npreset = \"small\"\n\n\
             [batch]\nsequences = 8\nseq_len = 128\n\n[optimizer]\nlr = 1e-2\nwarmup = 20\n"
        );
        write_atomic(&config, toml.as_bytes())?;
        self.run("smoke training", ["train".into()].into_iter().chain(flags("--config", &config)))?;

        let log = read_text(&self.path("run/log.jsonl"))?;
        let (first, last) = (cross_entropy(log.lines().next())?, validated(log.lines())?);
        ensure!(first > 2.0 * LEARNED, "the first line of the log already has {first} nats per byte");
        ensure!(last < LEARNED, "after {STEPS} steps held-out text still costs {last} nats per byte");

        let checkpoint = flags("--checkpoint", &self.path("run/last.safetensors"));
        let export = checkpoint.into_iter().chain(flags("--out", &model));
        self.run("smoke export", ["convert".into()].into_iter().chain(export))?;
        // On the same whole stories: the engine with the model file, the trainer with its checkpoint.
        let text = |what, path: &Path| {
            let eval = ["eval", "--json", "--restart", "--stories", "50"].map(Into::into).into_iter();
            eval.chain(flags(what, path)).chain(flags("--text", &stories))
        };
        let engine = bits_per_byte(&self.run("smoke eval", text("--model", &model))?)?;
        let trainer = text("--checkpoint", &self.path("run/last.safetensors"));
        let trainer = bits_per_byte(&self.run("smoke eval by the trainer", trainer)?)?;
        ensure!((engine - trainer).abs() < AGREED, "the engine measures {engine} bits per byte, the trainer {trainer}");
        Ok(format!(
            "train-smoke: {first:.2} nats per byte at first, {last:.2} on held-out text after {STEPS} steps; {engine:.4} \
             bits per byte with the engine, {trainer:.4} with the trainer"
        ))
    }
}

fn bits_per_byte(said: &str) -> anyhow::Result<f64> {
    let quality: Value = serde_json::from_str(said).context("the answer of eval")?;
    quality["bits_per_byte"].as_f64().context("no bits_per_byte in the answer of eval")
}

fn cross_entropy(line: Option<&str>) -> anyhow::Result<f64> {
    let line: Value = serde_json::from_str(line.context("the log is empty")?)?;
    line["cross_entropy"].as_f64().context("no cross_entropy in the log's first line")
}

/// Cross entropy of the last validation.
fn validated<'a>(lines: impl Iterator<Item = &'a str>) -> anyhow::Result<f64> {
    let mut found = None;
    for line in lines {
        let line: Value = serde_json::from_str(line)?;
        if line["event"] == "validated" {
            found = line["cross_entropy"].as_f64();
        }
    }
    found.context("the log holds no validation")
}
