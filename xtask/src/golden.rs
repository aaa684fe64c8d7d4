//! `cargo xtask golden`.

use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::cargo::cargo;
use bitstate_harness::workspace::log::logged;
use bitstate_harness::{Error, Exit};
use clap::Args;

/// Flags of `golden`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask golden --bless            generate golden/streams/ from golden/cases.toml with the reference
  cargo xtask golden --bless --check    change nothing; check that the streams match the reference")]
pub struct GoldenFlags {
    /// Compute the golden streams with the reference, never with a kernel under test
    #[arg(long, required = true)]
    pub bless: bool,
    /// Change nothing; only compare
    #[arg(long)]
    pub check: bool,
}

pub fn run(flags: &GoldenFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let mut command = cargo(&workspace, "run")?;
    command.args(["--release", "--package", "bitstate-suite", "--example", "bless", "--"]);
    command.arg("--golden").arg(workspace.root.join("golden"));
    if flags.check {
        command.arg("--check");
    }
    match logged(&workspace, "golden streams from the reference", &mut command) {
        Ok(log) => print!("{}", log.stdout),
        Err(error @ Error::Build { .. }) if flags.check => {
            println!("{error}");
            println!("the golden streams do not match the reference, or the reference could not be run");
            return Ok(Exit::WrongAnswer);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Pass)
}
