//! Reference measurements beside the workloads: read bandwidth of memory, the rate of each kernel by shape, and the
//! cost of the parts of a generated token.

use crate::definitions::metrics::PARTS;
use crate::definitions::workloads::{self, Shapes};
use crate::targets::{Cell, Clock};
use bitstate_protocol::{Budget, Digest, Job, Metric, Phase, Roof, Shape, Throughput};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Duration of a measurement, and its slices: long enough that the clock's own cost is negligible.
const BUDGET: Budget = Budget { ticks: 20_000_000, slices: 5 };
/// Instruction counts are equal every time: once is enough.
const ONCE: Budget = Budget { ticks: 0, slices: 1 };

/// The kernel jobs of a cell: `[kernels]` of `ci/workloads.toml`, and the reads of its target.
pub fn kernel_jobs(cell: Cell) -> Vec<Job> {
    let settings = workloads::settings();
    let (shapes, budget) = match cell.target.clock {
        Clock::Wall => (&settings.timed, BUDGET),
        Clock::Instructions => (&settings.counted, ONCE),
    };
    let Shapes { ternary, tokens, heads } = shapes.clone();
    let roof = (!cell.target.reads.is_empty()).then(|| Job::Roof(Roof { bytes: cell.target.reads.clone(), budget }));
    roof.into_iter().chain([Job::Throughput(Throughput { ternary, tokens, heads, budget })]).collect()
}

/// What is wrong with the counts of measured kernels, if anything: each requested case has the ticks of its clock and a
/// whole number of its shape's weights or bytes, both nonzero, and there is no other case.
pub fn check_kernels(jobs: &[Job], clock: Clock, metrics: &[Metric]) -> Option<String> {
    let mut units = BTreeMap::new();
    for job in jobs {
        match job {
            Job::Roof(roof) => units.extend(roof.bytes.iter().map(|&n| (Roof::case(n), ("bytes", u64::from(n))))),
            Job::Throughput(throughput) => {
                let size = |shape: Shape| u64::from(shape.rows) * u64::from(shape.cols);
                let ternary =
                    |(shape, tokens)| (Throughput::ternary_case(shape, tokens), size(shape) * u64::from(tokens));
                units.extend(throughput.products().map(ternary).map(|(case, n)| (case, ("weights", n))));
                units.extend(throughput.heads.iter().map(|&s| (Throughput::head_case(s), ("bytes", size(s)))));
            }
            _ => {}
        }
    }
    let (tick, tick_unit) = ticks(clock);
    for (case, (unit, amount)) in &units {
        let of_case = |name: &str| metrics.iter().filter(|m| m.case == *case && m.name == name).collect::<Vec<_>>();
        let ([time], [done]) = (&of_case(tick)[..], &of_case(unit)[..]) else {
            return Some(format!("`{case}` does not have one {tick} and one number of {unit}"));
        };
        if time.value == 0 || time.unit != tick_unit {
            return Some(format!("`{case}` took {} {}", time.value, time.unit));
        }
        if done.value == 0 || done.value % amount != 0 || done.unit != *unit {
            let (value, found) = (done.value, &done.unit);
            return Some(format!("`{case}` did {value} {found}, which is not a multiple of its {amount} {unit}"));
        }
    }
    let known = |m: &&Metric| {
        let unit = units.get(&m.case).map(|(unit, _)| *unit);
        m.phase == Phase::Kernel && (m.name == tick || Some(m.name.as_str()) == unit)
    };
    unknown(metrics.iter().find(|m| !known(m)))
}

/// What is wrong with the counts of a profile, if anything: each part once in the clock's unit, the clock, the tokens,
/// and nothing else.
pub fn check_parts(tokens: u64, clock: Clock, metrics: &[Metric]) -> Option<String> {
    let (_, tick_unit) = ticks(clock);
    let names = || PARTS.iter().map(|(name, _)| *name).chain(["clock"]);
    for name in names() {
        match metrics.iter().filter(|m| m.name == name).collect::<Vec<_>>()[..] {
            [one] if one.unit == tick_unit => {}
            [one] => return Some(format!("`{name}` of the profile is in {}, not in {tick_unit}", one.unit)),
            _ => return Some(format!("the profile does not have one `{name}`")),
        }
    }
    let parts = metrics.iter().filter(|m| m.name != "clock" && m.name != "tokens");
    if parts.map(|m| m.value).sum::<u64>() == 0 {
        return Some("no part of the profile took anything".into());
    }
    match metrics.iter().filter(|m| m.name == "tokens").collect::<Vec<_>>()[..] {
        [one] if one.value == tokens => {}
        _ => return Some(format!("the profile is not of {tokens} tokens")),
    }
    let known = |m: &&Metric| m.phase == Phase::Profile && (m.name == "tokens" || names().any(|name| name == m.name));
    unknown(metrics.iter().find(|m| !known(m)))
}

fn unknown(metric: Option<&Metric>) -> Option<String> {
    let m = metric?;
    Some(format!("the runner counts `{}` of {} of `{}`, which was not requested", m.name, m.phase, m.case))
}

/// Name and unit of a clock's ticks.
fn ticks(clock: Clock) -> (&'static str, &'static str) {
    match clock {
        Clock::Wall => ("time", "ns"),
        Clock::Instructions => ("instructions", "instructions"),
    }
}

/// Results of the measured kernels, from the first cell that ran each: all cells must agree bit for bit.
#[derive(Default)]
pub struct Computed(Mutex<BTreeMap<String, (Digest, Cell)>>);

impl Computed {
    /// The first result of a cell that differs from that of the first cell, if any.
    pub fn differing(&self, cell: Cell, digests: &BTreeMap<String, Digest>) -> Option<String> {
        let mut known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for (case, digest) in digests {
            let (first, of) = *known.entry(case.clone()).or_insert((*digest, cell));
            if first != *digest {
                return Some(format!("kernel `{case}` gives {digest}, but {first} on {of}"));
            }
        }
        None
    }
}
