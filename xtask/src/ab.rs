//! `cargo xtask ab`.

use crate::context::{Context, Ready, tell};
use crate::flags::AbFlags;
use anyhow::Context as _;
use bitstate_harness::checkout::{self, Checkout};
use bitstate_harness::comparison::Comparison;
use bitstate_harness::pairs::{self, PAIRS, Settings, Side};
use bitstate_harness::provenance::{self, Provenance};
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::target::Cell;
use bitstate_harness::thresholds::Thresholds;
use bitstate_harness::{Exit, report};
use serde_json::json;
use std::time::Instant;

/// Seed of the order of pairs: fixed, and in the records, so that an order can be had again.
const SEED: u64 = 0x0ab0_0ab0;

pub fn run(ab: &AbFlags) -> anyhow::Result<Exit> {
    let here = Context::new(&ab.flags)?;
    let limits = Thresholds::load(&here.workspace)?.time;
    let count = ab.pairs.unwrap_or(if here.quick { PAIRS.0 } else { PAIRS.1 });
    if ab.flags.dry_run {
        for cell in &here.cells {
            println!("would compare {} with {} on {cell}, {count} pairs a round", ab.new, ab.old);
        }
        return Ok(Exit::Pass);
    }
    let checkouts = [&ab.old, &ab.new].map(|reference| checkout::check_out(&here.workspace, reference));
    let [old, new] = checkouts;
    let (old, new) = (old?, new?);
    // Both are built before anything is timed.
    let sides = [prepare(ab, &old)?, prepare(ab, &new)?];
    let plans = [sides[0].plan()?, sides[1].plan()?];
    let cells: Vec<Cell> = here.cells.clone();
    let pair = |cell: &Cell| {
        [(&old, &plans[0]), (&new, &plans[1])].map(|(checkout, plan)| Side {
            label: &checkout.label,
            plan,
            cell: *cell,
        })
    };
    let pairs: Vec<[Side; 2]> = cells.iter().map(pair).collect();

    let started = Instant::now();
    let steal = provenance::steal();
    let mut rows = plans[1].obstacles();
    rows.extend(plans[0].obstacles().into_iter().filter(|row| matches!(row, Row::Failed { .. })));
    let mut provenance = describe(&sides[1], &old, &new);
    let paired = pairs::compare(&pairs, &Settings { pairs: count, seed: SEED, limits })?;
    rows.extend(paired.rows);
    provenance.pinned_to = paired.pinned_to;
    provenance.time_limits = Some(limits);
    provenance.seconds = started.elapsed().as_secs();
    provenance.steal = provenance::steal().saturating_sub(steal);
    let today = provenance::now();
    let name = format!("{}-{}", today.get(..10).unwrap_or("undated"), provenance.name);
    let folder = here.workspace.scratch().join("reports").join(name);
    report::write(&folder, &provenance, &rows)?;

    let made = report::read(&folder)?;
    let exit = exit(&rows, &made.comparisons);
    if ab.flags.json {
        let answer = json!({"report": folder, "comparisons": made.comparisons, "exit": exit.code()});
        println!("{answer:#}");
        return Ok(exit);
    }
    if !made.comparisons.is_empty() {
        print!("{}", report::markdown::plain(&report::tables::comparisons(&made)));
    }
    tell(&rows);
    println!("report: {}/report.html", here.workspace.show(&folder));
    Ok(exit)
}

/// The verdicts and the rows together. Nothing compared is no pass.
fn exit(rows: &[Row], comparisons: &[Comparison]) -> Exit {
    let none = if comparisons.is_empty() { Exit::NotMeasurable } else { Exit::Pass };
    let verdicts = comparisons.iter().map(|comparison| comparison.verdict.exit());
    verdicts.fold(Tally::of(rows).exit.worst(none), Exit::worst)
}

fn prepare(ab: &AbFlags, checkout: &Checkout) -> anyhow::Result<Ready> {
    eprintln!("{}: {}", checkout.label, checkout.workspace.root.display());
    let context = Context { workspace: checkout.workspace.clone(), ..Context::new(&ab.flags)? };
    context.prepare().with_context(|| format!("{} cannot be prepared", checkout.label))
}

fn describe(new: &Ready, old_checkout: &Checkout, new_checkout: &Checkout) -> Provenance {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let digests = new.models.iter().map(|model| (model.name.clone(), model.digest.to_string()));
    let short = |checkout: &Checkout| {
        checkout.commit.as_ref().map_or("tree".into(), |c| c.chars().take(10).collect::<String>())
    };
    Provenance {
        name: format!("ab-{}-{}", short(old_checkout), short(new_checkout)),
        command: format!("cargo xtask {}", arguments.join(" ")),
        quick: new.context.quick,
        shuffle_seed: SEED,
        golden: new.golden.digest.to_string(),
        models: digests.collect(),
        ..Provenance::collect(&new.context.workspace)
    }
}
