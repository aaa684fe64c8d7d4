//! `cargo xtask setup`.

use crate::context::Context;
use crate::flags::Flags;
use bitstate_harness::Exit;

pub fn run(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::new(flags)?;
    if flags.dry_run {
        let missing: Vec<_> = context.needed_tools().into_iter().filter(|tool| tool.find().is_none()).collect();
        for tool in &missing {
            println!("would install: {}", tool.packages.join(" "));
        }
        println!("{} missing", missing.len());
        return Ok(Exit::Pass);
    }
    let setup = context.set_up_with(&crate::house::check_tools())?;
    if setup.missing.is_empty() {
        println!("everything is installed");
        return Ok(Exit::Pass);
    }
    println!("{} missing; the other targets do not need them", setup.missing.len());
    Ok(if setup.can_install { Exit::NotMeasurable } else { Exit::Pass })
}
