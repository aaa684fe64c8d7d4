//! `cargo xtask list`.

use crate::context::Context;
use crate::flags::Flags;
use bitstate_harness::Exit;
use bitstate_harness::golden::Golden;
use bitstate_harness::records::METRICS;
use serde_json::json;

pub fn run(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::new(flags)?;
    let golden = Golden::load(&context.workspace)?;
    let cases = context.cases(&golden)?;
    if flags.json {
        let cells = context.cells.iter().map(|cell| json!({"target": cell.target.name, "variant": cell.variant.name}));
        let cells: Vec<_> = cells.collect();
        let cases = cases.iter().map(|case| {
            json!({"workload": case.name(), "model": case.model, "prompt": case.workload.prompt.len(),
                   "tokens": case.workload.max_tokens, "timed": case.bench})
        });
        println!("{:#}", json!({"cells": cells, "workloads": cases.collect::<Vec<_>>()}));
        return Ok(Exit::Pass);
    }
    println!("targets and variants");
    for cell in &context.cells {
        println!("  {cell:<16} {}", cell.target.title);
    }
    println!("workloads (* timed as well)");
    for case in cases {
        let mark = if case.bench { '*' } else { ' ' };
        let (prompt, tokens) = (case.workload.prompt.len(), case.workload.max_tokens);
        println!("{mark} {:<40} model {}, {prompt} prompt tokens, {tokens} generated", case.name(), case.model);
    }
    println!("metrics\n  {}", METRICS.map(|(name, _)| name).join(", "));
    Ok(Exit::Pass)
}
