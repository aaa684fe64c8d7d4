//! `cargo xtask eval`: the loss of a model on a text, computed natively and checked to be equal on every target.

use crate::context::{Context, print_results};
use crate::flags::Flags;
use anyhow::anyhow;
use bitstate_harness::Exit;
use bitstate_harness::definitions::golden::Golden;
use bitstate_harness::records::provenance;
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::runs::quality::{self, Quality};
use bitstate_harness::targets::{build, model_file};
use bitstate_harness::workspace::cargo::host_program;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::workspace::{Workspace, environment};
use clap::Args;
use std::path::PathBuf;

/// Flags of `eval`.
#[derive(Debug, Args)]
#[command(after_help = "\
The loss is computed natively; every chosen cell runs the same tokens, and the digests of its logits must be equal to
those that the loss was computed from. Stories start from an empty state and are truncated, because an emulated target
takes a second for some tens of tokens.
Example:
  cargo xtask eval --model model.bits --text valid.txt --stories 2 --tokens 100")]
pub struct EvalFlags {
    /// The selected targets.
    #[command(flatten)]
    pub flags: Flags,
    /// The BITS file
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// UTF-8 text with `<|endoftext|>` between stories, or .jsonl, .ndjson or .json in the formats of `bitstate eval`
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// `byte`, or the tokenizer.json that the model was trained with; by default as in `bitstate eval`
    #[arg(long, value_name = "KIND")]
    pub tokenizer: Option<String>,
    /// Only the first N stories
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub stories: u32,
    /// Only the first N tokens of each story
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub tokens: u32,
}

impl EvalFlags {
    /// A model and a text, with the default flags.
    pub fn new(model: PathBuf, text: PathBuf) -> Self {
        EvalFlags { flags: Flags::default(), model, text, tokenizer: None, stories: 1, tokens: 64 }
    }
}

pub fn run(flags: &EvalFlags) -> anyhow::Result<Exit> {
    let context = Context::new(&flags.flags)?;
    let golden = Golden::load(&context.workspace)?;
    let setup = context.set_up()?;
    let quality = ask(&context.workspace, flags)?;
    let built = build::build(&context.workspace, &context.cells, &provenance::cpu_features())?;
    let model = model_file(&flags.model.display().to_string(), &flags.model)?;
    let plan = Plan {
        cells: &context.cells,
        cases: Vec::new(),
        golden: &golden,
        models: std::slice::from_ref(&model),
        built: &built,
        expected: &context.expected,
        can_install: setup.can_install,
        quick: false,
        in_full: false,
        journal: None,
        processor: None,
    };
    let rows = quality::check(&plan, &model, &quality)?;
    let exit = print_results(&rows);
    let Quality { tokens, nats_per_token, bits_per_byte, trace } = &quality;
    let bits = bits_per_byte.map(|bits| format!(", {bits:.4} bits per byte")).unwrap_or_default();
    let stories = trace.len();
    let where_ = if exit == Exit::Pass { "wherever it ran" } else { "natively" };
    println!("{nats_per_token:.4} nats per token{bits}, {where_}: {tokens} tokens of {stories} stories");
    Ok(exit)
}

/// The native result.
fn ask(workspace: &Workspace, flags: &EvalFlags) -> anyhow::Result<Quality> {
    let mut command = environment::command(host_program(workspace, "bitstate-cli")?);
    command.args(["eval", "--json", "--trace", "--restart"]);
    if let Some(tokenizer) = &flags.tokenizer {
        command.args(["--tokenizer", tokenizer]);
    }
    command.arg("--model").arg(&flags.model).arg("--text").arg(&flags.text);
    command.args(["--stories", &flags.stories.to_string(), "--tokens", &flags.tokens.to_string()]);
    let log = logged(workspace, "eval", &mut command)?;
    Quality::parse(&log.stdout).map_err(|error| anyhow!("{error}"))
}
