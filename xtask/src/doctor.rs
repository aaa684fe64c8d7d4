//! `cargo xtask doctor`.

use crate::context::Context;
use crate::flags::Flags;
use bitstate_harness::records::provenance::{Provenance, cpu_features};
use bitstate_harness::targets::build::obstacle;
use bitstate_harness::workspace::setup::can_install;
use bitstate_harness::{Exit, targets};
use serde_json::json;

pub fn run(flags: &Flags) -> anyhow::Result<Exit> {
    let context = Context::new(flags)?;
    let features = cpu_features();
    let tools: Vec<_> = targets::tools().iter().map(|tool| (tool, tool.find())).collect();
    let cells: Vec<_> = context.cells.iter().map(|cell| (cell, obstacle(*cell, &features))).collect();
    let here = Provenance::collect(&context.workspace);
    if flags.json {
        let tools = tools.iter().map(|(tool, found)| {
            let found = found.as_ref().map(|found| json!({"path": found.path, "version": found.version}));
            json!({"tool": tool.title, "packages": tool.packages, "found": found})
        });
        let cells = cells.iter().map(|(cell, skip)| {
            json!({"target": cell.target.name, "variant": cell.variant.name, "skipped": skip.as_ref().map(|s| &s.reason)})
        });
        let cells: Vec<_> = cells.collect();
        println!("{:#}", json!({"tools": tools.collect::<Vec<_>>(), "cells": cells, "machine": here_json(&here)}));
        return Ok(Exit::Pass);
    }
    println!("{}, kernel {}, {}, {} processors", here.system, here.kernel, here.cpu, here.cpus);
    println!("{}", here.tools.get("rustc").map_or("no rustc", String::as_str));
    println!();
    for (tool, found) in &tools {
        match found {
            Some(found) => println!("  ok       {}: {} ({})", tool.title, found.version, found.path.display()),
            None => println!("  missing  {}: packages {}", tool.title, tool.packages.join(" ")),
        }
    }
    println!();
    for (cell, skip) in &cells {
        match skip {
            None => println!("  runs     {cell}"),
            Some(skip) => println!("  skipped  {cell}: {}", skip.reason),
        }
    }
    if tools.iter().any(|(_, found)| found.is_none()) {
        let how = if can_install() { "installs" } else { "says how to install (root on Debian is needed)" };
        println!("\n`cargo xtask setup` {how} what is missing.");
    }
    Ok(Exit::Pass)
}

fn here_json(here: &Provenance) -> serde_json::Value {
    json!({"system": here.system, "kernel": here.kernel, "cpu": here.cpu, "cpus": here.cpus,
           "cpu_features": here.cpu_features, "tools": here.tools})
}
