//! `cargo xtask golden`.

use crate::flags::GoldenFlags;
use bitstate_harness::build::{logged, stored_models};
use bitstate_harness::tools::cargo;
use bitstate_harness::workspace::Workspace;
use bitstate_harness::{Error, Exit};

pub fn run(flags: &GoldenFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    stored_models(&workspace)?;
    let mut command = cargo();
    command.args(["run", "--release", "--package", "bitstate-suite", "--example", "bless", "--"]);
    command.arg("--cases").arg(workspace.root.join("golden/cases.toml"));
    command.arg("--models").arg(workspace.models());
    command.arg("--out").arg(workspace.streams());
    if flags.check {
        command.arg("--check");
    }
    match logged(&workspace, "golden streams from the reference", &mut command) {
        Ok(said) => print!("{said}"),
        Err(error @ Error::Build { .. }) if flags.check => {
            println!("{error}");
            println!("the golden streams are not what the reference gives, or it could not be asked");
            return Ok(Exit::WrongAnswer);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Pass)
}
