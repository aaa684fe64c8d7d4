//! `cargo xtask verify`.

use crate::context::{Context, print_results};
use crate::flags::Flags;
use bitstate_harness::definitions::golden::Golden;
use bitstate_harness::records::Tally;
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::runs::verify::{self, Compared, sessions};
use bitstate_harness::targets::Cell;
use bitstate_harness::workspace::error::nearest;
use bitstate_harness::{Error, Exit};
use clap::Args;
use serde_json::json;

/// Flags of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
A wrong answer is reported with its first divergent token, and with the layer and the step (time mix r, k, v, g, WKV, group
norm, output; channel mix k, r, v; final norm; head) whose output first differs from native/generic.
Sessions of the cases that golden/cases.toml marks are saved after each of 0 to 64 tokens (after five of them with
--quick) and handed over: every target and variant must make the same files and continue each of them.
Targets that are only verified, and plain Rust in emulators and browsers, take a greedy and a sampling case of each model,
those with the shortest prompts, and compare 16 tokens; emulators take no model of more than 4 MiB with these, and with
other variants 4 tokens of its greedy case. What is shortened runs in full elsewhere, and here too with --full, or if
workloads are selected.
With --diff every step of two targets is compared, regardless of the golden answer: the prompt at once, then the golden
tokens one at a time. Exit code 0: every step agrees; 4: the first that differs is named.

Examples:
  cargo xtask verify
  cargo xtask verify --full
  cargo xtask verify --target wasm --workload stories-byte
  cargo xtask verify --diff native/avx2 wasm/simd128 --workload stories-byte/once-greedy")]
pub struct VerifyFlags {
    /// What to check.
    #[command(flatten)]
    pub flags: Flags,
    /// Every case and every session file on every target and variant, which takes several times as long
    #[arg(long, conflicts_with = "quick")]
    pub full: bool,
    /// Instead: compare every step of these two, such as native/avx2
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["target", "variant", "metric", "full"])]
    pub diff: Vec<String>,
}

pub fn run(verify: &VerifyFlags) -> anyhow::Result<Exit> {
    let flags = &verify.flags;
    if let [a, b] = &verify.diff[..] {
        return diff(flags, [cell(a)?, cell(b)?]);
    }
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
    let plan = Plan { in_full: verify.full, ..ready.plan()? };
    let rows = verify::verify(&plan)?;
    if flags.json {
        let tally = Tally::of(&rows);
        let counts = json!({"passed": tally.passed, "failed": tally.failed, "skipped": tally.skipped});
        println!("{:#}", json!({"rows": rows, "tally": counts, "exit": tally.exit.code()}));
        return Ok(tally.exit);
    }
    if let Some(sentence) = sessions::in_words(&plan, &rows) {
        println!("{sentence}");
    }
    Ok(print_results(&rows))
}

/// The cell of a name such as `native/avx2`.
fn cell(name: &str) -> Result<Cell, Error> {
    let known: Vec<String> = Cell::all().map(|cell| cell.to_string()).collect();
    Cell::all().find(|cell| cell.to_string() == name).ok_or_else(|| Error::Unknown {
        kind: "target/variant",
        name: name.into(),
        nearest: nearest(name, known.iter().map(String::as_str)),
    })
}

/// Compares every step of two cells.
fn diff(flags: &Flags, cells: [Cell; 2]) -> anyhow::Result<Exit> {
    let context = Context { cells: cells.to_vec(), ..Context::new(flags)? };
    let [a, b] = cells;
    if flags.dry_run {
        let golden = Golden::load(&context.workspace)?;
        context.cases(&golden)?.iter().for_each(|case| println!("would compare {a} with {b}: {}", case.name()));
        return Ok(Exit::Pass);
    }
    let ready = context.prepare()?;
    let plan = ready.plan()?;
    let obstacles = plan.obstacles();
    if !obstacles.is_empty() {
        return Ok(print_results(&obstacles).worst(Exit::NotMeasurable));
    }
    let compared = verify::diff(&plan, cells)?;
    let exit = compared.iter().map(exit).fold(Exit::Pass, Exit::worst);
    if flags.json {
        let row = |compared: &Compared| match &compared.found {
            Ok(Ok(steps)) => json!({"workload": compared.case.name(), "steps": steps, "difference": null}),
            Ok(Err(difference)) => json!({"workload": compared.case.name(), "difference": difference}),
            Err((cell, error)) => {
                json!({"workload": compared.case.name(), "failed": cell.to_string(), "error": error.to_string()})
            }
        };
        let rows: Vec<_> = compared.iter().map(row).collect();
        println!("{:#}", json!({"cells": [a.to_string(), b.to_string()], "compared": rows, "exit": exit.code()}));
        return Ok(exit);
    }
    for Compared { case, found } in &compared {
        let case = case.name();
        match found {
            Ok(Ok(steps)) => println!("same     {case}: all {steps} steps of {a} and {b} agree"),
            Ok(Err(place)) => println!("DIFFERS  {case}: the first step in which {a} and {b} differ is {place}"),
            Err((cell, error)) => println!("FAILED   {case}: {cell}: {error}"),
        }
    }
    Ok(exit)
}

fn exit(compared: &Compared) -> Exit {
    match &compared.found {
        Ok(Ok(_)) => Exit::Pass,
        Ok(Err(_)) => Exit::WrongAnswer,
        Err((_, error)) => error.exit(),
    }
}
