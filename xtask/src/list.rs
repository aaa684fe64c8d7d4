//! `cargo xtask list`.

use crate::context::Context;
use crate::flags::Flags;
use bitstate_harness::Exit;
use bitstate_harness::definitions::golden::{Case, Golden};
use bitstate_harness::definitions::metrics::METRICS;
use bitstate_harness::definitions::workloads::{self, Named};
use bitstate_harness::targets::Target;
use serde_json::json;

pub fn run(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::new(flags)?;
    let golden = Golden::load(&context.workspace)?;
    let cases = context.cases(&golden)?;
    let (_, workloads) = workloads::read(&context.workspace)?;
    let mut targets: Vec<&'static Target> = context.cells.iter().map(|cell| cell.target).collect();
    targets.dedup();
    if flags.json {
        println!("{:#}", as_json(&context, &targets, &cases, &workloads));
        return Ok(Exit::Pass);
    }
    println!("targets (ci/targets.toml), their variants with the CPU features that each needs, and their tools");
    for target in targets {
        let alone = match (target.measured, target.counted) {
            (true, true) => "",
            (true, false) => "; timed, not counted",
            (false, _) => "; only verified",
        };
        println!("  {:<13} {}; {}{alone}", target.name, target.title, target.kind.in_words());
        for cell in context.cells.iter().filter(|cell| cell.target == target) {
            println!("{}", format!("    {:<14} {}", cell.variant.name, cell.variant.cpu.join(" ")).trim_end());
        }
        let tools: Vec<&str> = target.needs.iter().chain(&target.count_needs).map(|tool| tool.name).collect();
        println!("    tools: {}", if tools.is_empty() { "none".into() } else { tools.join(", ") });
    }
    println!("workloads (ci/workloads.toml), timed and counted");
    for (workload, case) in workloads.iter().filter_map(|w| Some((w, cases.iter().find(|c| c.name() == w.case)?))) {
        let with = match &workload.variants[..] {
            [] => String::new(),
            variants => format!("; with {} alone", variants.join(", ")),
        };
        println!("  {:<40} {}; {}{with}", case.name(), workload.title, size(case));
    }
    println!("cases (golden/cases.toml), verified");
    for case in cases {
        println!("  {:<40} {}", case.name(), size(case));
    }
    println!("metrics\n  {}", METRICS.map(|(name, _)| name).join(", "));
    Ok(Exit::Pass)
}

fn size(case: &Case) -> String {
    let (prompt, tokens) = (case.workload.prompt.len(), case.workload.max_tokens);
    format!("model {}, {prompt} prompt tokens, {tokens} generated", case.model)
}

fn as_json(context: &Context, targets: &[&Target], cases: &[&Case], workloads: &[Named]) -> serde_json::Value {
    let targets = targets.iter().map(|target| {
        let of_target = context.cells.iter().filter(|cell| cell.target == *target);
        let variants: Vec<_> =
            of_target.map(|cell| json!({"variant": cell.variant.name, "cpu": cell.variant.cpu})).collect();
        let tools = |tools: &[&'static bitstate_harness::workspace::tools::Tool]| {
            tools.iter().map(|tool| tool.name).collect::<Vec<_>>()
        };
        json!({"target": target.name, "title": target.title, "how": target.kind.in_words(), "measured": target.measured,
               "counted": target.counted, "variants": variants,
               "tools": tools(&target.needs), "count_tools": tools(&target.count_needs)})
    });
    let cells = context.cells.iter().map(|cell| json!({"target": cell.target.name, "variant": cell.variant.name}));
    let cases = cases.iter().map(|case| {
        let workload = workloads.iter().find(|workload| workload.case == case.name());
        json!({"workload": case.name(), "model": case.model, "prompt": case.workload.prompt.len(),
               "tokens": case.workload.max_tokens, "timed": case.bench,
               "variants": workload.map(|workload| &workload.variants), "title": workload.map(|workload| &workload.title)})
    });
    json!({"targets": targets.collect::<Vec<_>>(), "cells": cells.collect::<Vec<_>>(),
           "workloads": cases.collect::<Vec<_>>()})
}
