//! `cargo xtask build`.

use crate::context::{Context, print_results};
use crate::flags::Flags;
use bitstate_harness::Exit;
use bitstate_harness::records::Row;
use bitstate_harness::records::provenance::cpu_features;
use bitstate_harness::targets::build;

pub fn run(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::new(flags)?;
    if flags.dry_run {
        for cell in &context.cells {
            println!("would build {cell}");
        }
        return Ok(Exit::Pass);
    }
    let setup = context.set_up()?;
    let built = build::build(&context.workspace, &context.cells, &cpu_features())?;
    for cell in built.runnable(&context.cells) {
        println!("built  {cell}");
    }
    let mut rows = Vec::new();
    for (cell, skip) in &built.skips {
        let exit = context.expected.exit(*cell, None, skip.cause, setup.can_install);
        rows.push(Row::skipped(*cell, None, skip, exit == Exit::Pass));
    }
    for (cell, error) in &built.failures {
        rows.push(Row::failed(*cell, None, "build", error.to_string(), error.exit()));
    }
    Ok(print_results(&rows))
}
