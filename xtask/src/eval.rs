//! `cargo xtask eval`: what a text costs a model, natively and proved to be the same on every target.

use crate::context::{Context, tell};
use crate::flags::EvalFlags;
use anyhow::anyhow;
use bitstate_harness::build::{self, logged};
use bitstate_harness::golden::Golden;
use bitstate_harness::quality::{self, Quality};
use bitstate_harness::runner::model_file;
use bitstate_harness::tools::cargo;
use bitstate_harness::verify::Plan;
use bitstate_harness::workspace::Workspace;
use bitstate_harness::{Error, Exit, provenance};
use std::path::PathBuf;
use std::process::Command;

pub fn run(flags: &EvalFlags) -> anyhow::Result<Exit> {
    let context = Context::new(&flags.flags)?;
    let setup = context.set_up()?;
    let quality = ask(&context.workspace, flags)?;
    let built = build::build(&context.workspace, &context.cells, &provenance::cpu_features())?;
    let model = model_file(&flags.model.display().to_string(), &flags.model)?;
    let plan = Plan {
        cells: &context.cells,
        cases: Vec::new(),
        golden: &Golden::load(&context.workspace)?,
        models: std::slice::from_ref(&model),
        built: &built,
        expected: &context.expected,
        can_install: setup.can_install,
        quick: false,
        journal: None,
    };
    let rows = quality::check(&plan, &model, &quality)?;
    let exit = tell(&rows);
    let Quality { tokens, nats_per_token, bits_per_byte, trace } = &quality;
    let bits = bits_per_byte.map(|bits| format!(", {bits:.4} bits a byte")).unwrap_or_default();
    let stories = trace.len();
    let where_ = if exit == Exit::Pass { "wherever it ran" } else { "natively" };
    println!("{nats_per_token:.4} nats a token{bits}, {where_}: {tokens} tokens of {stories} stories");
    Ok(exit)
}

/// The native answer.
fn ask(workspace: &Workspace, flags: &EvalFlags) -> anyhow::Result<Quality> {
    let mut command = Command::new(bitstate(workspace)?);
    command.args(["eval", "--json", "--trace", "--restart", "--tokenizer", &flags.tokenizer]);
    command.arg("--model").arg(&flags.model).arg("--text").arg(&flags.text);
    command.args(["--stories", &flags.stories.to_string(), "--tokens", &flags.tokens.to_string()]);
    let said = logged(workspace, "eval", &mut command)?;
    Quality::parse(&said).map_err(|error| anyhow!("{error}"))
}

/// The command.
fn bitstate(workspace: &Workspace) -> Result<PathBuf, Error> {
    let mut command = cargo();
    command.args(["build", "--release", "--package", "bitstate-cli"]);
    logged(workspace, "the command", &mut command)?;
    Ok(workspace.target.join("release").join(format!("bitstate{}", std::env::consts::EXE_SUFFIX)))
}
