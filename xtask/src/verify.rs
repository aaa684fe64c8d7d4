//! `cargo xtask verify`.

use crate::context::{Context, tell};
use crate::flags::Flags;
use bitstate_harness::golden::Golden;
use bitstate_harness::records::Tally;
use bitstate_harness::{Exit, verify};
use serde_json::json;

pub fn run(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::new(flags)?;
    if flags.dry_run {
        let golden = Golden::load(&context.workspace)?;
        for case in context.cases(&golden)? {
            for cell in &context.cells {
                println!("would verify {cell} {}", case.name());
            }
        }
        return Ok(Exit::Pass);
    }
    let ready = context.prepare()?;
    let rows = verify::verify(&ready.plan()?)?;
    if flags.json {
        let tally = Tally::of(&rows);
        let counts = json!({"passed": tally.passed, "failed": tally.failed, "skipped": tally.skipped});
        println!("{:#}", json!({"rows": rows, "tally": counts, "exit": tally.exit.code()}));
        return Ok(tally.exit);
    }
    Ok(tell(&rows))
}
