//! What a reader wants to know first, in sentences: is everything right, how fast is each workload against its roof,
//! against the last run on such a machine and against other engines.

use crate::report::history::points::{PastRun, Quantity};
use crate::report::summary::report::Report;
use crate::report::tables::numbers::{number, percent};
use crate::targets::{Cell, Clock};

/// A sentence on correctness, one on the machine, and one for every workload that was timed.
pub(in crate::report) fn first(report: &Report) -> Vec<String> {
    let mut words = vec![right(report)];
    for part in report.each() {
        words.push(machine(report, part));
        words.extend(part.workloads().into_iter().filter_map(|workload| speed(report, part, workload)));
    }
    words
}

fn right(report: &Report) -> String {
    let skipped = match report.skipped {
        0 => String::new(),
        skipped => format!(" {skipped} could not run here."),
    };
    let passed = report.passed;
    match report.failed {
        0 if passed > 0 => {
            format!(
                "Everything is right: {passed} answers were checked, and each is the golden one to the bit.{skipped}"
            )
        }
        0 => format!("Nothing was checked.{skipped}"),
        1 => format!("1 run failed, and is listed below; {passed} answers are right.{skipped}"),
        failed => format!("{failed} runs failed, and are listed below; {passed} answers are right.{skipped}"),
    }
}

fn machine(report: &Report, part: &Report) -> String {
    let p = &part.provenance;
    let shard = p.shard.as_ref().filter(|_| !report.parts.is_empty());
    let measured = shard.map_or("Measured".into(), |shard| format!("Shard {}, {}: measured", shard.index, shard.name));
    let date = p.started.get(..10).unwrap_or("an unknown day");
    format!("{measured} on {}, {} processors, {date}, commit {}.", p.cpu, p.cpus, p.short_commit())
}

/// The fastest variant of a workload that was timed.
fn speed(report: &Report, part: &Report, workload: &str) -> Option<String> {
    let of = |cell: Cell| {
        let names = (cell.target.name, cell.variant.name);
        Some((part.find(names, workload, "decode", "throughput")?.median, names))
    };
    let timed = Cell::all().filter(|cell| cell.target.clock == Clock::Wall);
    let (speed, names) = timed.filter_map(of).max_by(|a, b| a.0.total_cmp(&b.0))?;
    let mut words = format!("`{workload}`: {} tokens/s with `{}/{}`", number(speed), names.0, names.1);
    let composite =
        part.composite_share(names, workload).map(|share| format!("{} of its composite roof", percent(share)));
    let memory = part.share(names, workload).map(|share| format!("{} of the memory roof", percent(share)));
    let shares: Vec<String> = composite.into_iter().chain(memory).collect();
    if !shares.is_empty() {
        words += &format!(", {}", shares.join(" and "));
    }
    let peers = part.peers.iter().filter(|peer| peer.workload == workload);
    let fastest = peers.min_by(|a, b| a.ratio.middle.total_cmp(&b.ratio.middle));
    if let Some(peer) = fastest {
        words += &format!("; {} as fast as the fastest peer, {}", peer.in_words(), peer.name);
    }
    if let Some((before, was)) = before(report, part, names, workload) {
        words += &format!("; the run before on this kind of machine, `{}`, had {}", before.name, number(was));
    }
    Some(words + ".")
}

/// The last earlier run on a machine of the same description, with its speed.
fn before<'a>(report: &'a Report, part: &Report, names: (&str, &str), workload: &str) -> Option<(&'a PastRun, f64)> {
    let (_, earlier) = report.history.runs.split_last()?;
    let machine = part.provenance.machine();
    let found = earlier.iter().rev().filter(|run| run.machine == machine);
    let with_speed = |run: &'a PastRun| Some((run, run.find((Quantity::Speed, names.0, names.1, workload))?.value));
    found.filter_map(with_speed).next()
}
