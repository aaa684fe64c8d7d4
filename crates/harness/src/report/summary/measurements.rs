//! Measurements from the samples of the rows: derived per sample, then summarised.

use crate::definitions::metrics::PARTS;
use crate::records::Row;
use crate::targets::{Cache, Target};
use crate::verdicts::stats::Summary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One quantity of a cell on a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Target.
    pub target: String,
    /// Variant.
    pub variant: String,
    /// Case.
    pub workload: String,
    /// `load`, `prefill`, `decode`, `run`, `profile` or `kernel`.
    pub phase: String,
    /// Quantity; one with `modelled` in its name was not observed.
    pub metric: String,
    /// Unit.
    pub unit: String,
    /// Summary of its samples.
    pub summary: Summary,
}

/// The quantity: tokens per second with waits for memory.
pub const WITH_WAITS: &str = "modelled throughput with waits";
/// The quantity: lines of code that a token reads from memory behind a cache.
pub const CODE_LINES: &str = "lines of code per token";

/// The cycles of a line of each cache.
#[derive(Clone, Copy)]
struct LineCycles {
    data: f64,
    code: Option<f64>,
}

impl LineCycles {
    fn of(target: &Target) -> Option<Self> {
        let cycles = |cache: &Cache| cache.line_cycles.get() as f64;
        let kind = &target.kind;
        Some(LineCycles { data: cycles(kind.cache()?), code: kind.code_cache().map(cycles) })
    }
}

type Key = (String, String, String);
type Counts = BTreeMap<(String, String), f64>;

/// Derived quantities, computed per sample, then summarised: a median of ratios, not a ratio of medians.
pub(super) fn summarise(rows: &[Row]) -> Vec<Measurement> {
    let mut order: Vec<Key> = Vec::new();
    let mut samples: BTreeMap<(Key, u32), Counts> = BTreeMap::new();
    for row in rows {
        if let Row::Sample { target, variant, workload, sample, phase, metric, value, .. } = row {
            let key = (target.clone(), variant.clone(), workload.clone());
            if !order.contains(&key) {
                order.push(key.clone());
            }
            let counts = samples.entry((key, *sample)).or_default();
            counts.insert((phase.clone(), metric.clone()), *value as f64);
        }
    }
    let mut measurements = Vec::new();
    for key in order {
        let mut values: BTreeMap<(usize, &str, &str), (&str, Vec<f64>)> = BTreeMap::new();
        let target = Target::named(&key.0);
        let hz = target.and_then(Target::hz);
        let line_cycles = target.and_then(LineCycles::of);
        for (_, counts) in samples.iter().filter(|((of, _), _)| *of == key) {
            for (phase, metric, unit, value) in derive(counts, hz, line_cycles) {
                let place = records_phase(phase);
                values.entry((place, phase, metric)).or_insert((unit, Vec::new())).1.push(value);
            }
        }
        for ((_, phase, metric), (unit, values)) in values {
            let Some(summary) = Summary::of(&values) else { continue };
            let (target, variant, workload) = key.clone();
            measurements.push(Measurement {
                target,
                variant,
                workload,
                phase: phase.into(),
                metric: metric.into(),
                unit: unit.into(),
                summary,
            });
        }
    }
    measurements
}

fn records_phase(phase: &str) -> usize {
    ["load", "prefill", "decode", "run", "profile", "kernel"]
        .iter()
        .position(|name| *name == phase)
        .unwrap_or(usize::MAX)
}

/// The quantities derived from one sample, as phase, metric, unit and value.
fn derive(
    counts: &Counts,
    hz: Option<f64>,
    line_cycles: Option<LineCycles>,
) -> Vec<(&'static str, &'static str, &'static str, f64)> {
    let get = |phase: &str, metric: &str| counts.get(&(phase.to_string(), metric.to_string())).copied();
    let mut out = Vec::new();
    for phase in ["load", "prefill", "decode"] {
        if let Some(ns) = get(phase, "time") {
            out.push((phase, "time", "ms", ns / 1e6));
        }
        if let Some(count) = get(phase, "instructions") {
            out.push((phase, "instructions", "instructions", count));
        }
        let Some(tokens) = get(phase, "tokens").filter(|tokens| *tokens > 0.0) else { continue };
        if let Some(ns) = get(phase, "time").filter(|ns| *ns > 0.0) {
            out.push((phase, "throughput", "tokens/s", tokens / (ns / 1e9)));
        }
        if let Some(count) = get(phase, "instructions").filter(|count| *count > 0.0) {
            out.push((phase, "instructions per token", "instructions", count / tokens));
            if let Some(hz) = hz {
                out.push((phase, "modelled throughput", "tokens/s", hz / (count / tokens)));
                let lines = get(phase, "cache_misses").zip(get(phase, "cache_write_backs"));
                if let Some(((misses, write_backs), cycles)) = lines.zip(line_cycles) {
                    let mut waits = (misses + write_backs) * cycles.data;
                    out.push((phase, "lines per token", "lines", (misses + write_backs) / tokens));
                    // Runs before code had a memory of its own have no such count.
                    if let Some((lines, cycles)) = get(phase, "code_misses").zip(cycles.code) {
                        waits += lines * cycles;
                        out.push((phase, CODE_LINES, "lines", lines / tokens));
                    }
                    out.push((phase, WITH_WAITS, "tokens/s", hz / ((count + waits) / tokens)));
                }
            }
        }
        if let Some(count) = get(phase, "fuel") {
            out.push((phase, "fuel per token", "fuel", count / tokens));
        }
        if let Some(count) = get(phase, "allocations") {
            out.push((phase, "allocations per token", "count", count / tokens));
        }
    }
    if let Some((bytes, tokens)) =
        get("decode", "bytes").zip(get("decode", "tokens")).filter(|(_, tokens)| *tokens > 0.0)
    {
        out.push(("decode", "bytes per token", "bytes", bytes / tokens));
        if let Some(ns) = get("decode", "time").filter(|ns| *ns > 0.0) {
            out.push(("decode", "bandwidth", "GB/s", bytes / ns));
        }
    }
    if let Some(tokens) = get("profile", "tokens").filter(|tokens| *tokens > 0.0) {
        let (scale, unit) = if hz.is_some() { (1.0, "instructions/token") } else { (1e-3, "µs/token") };
        let parts = PARTS.iter().map(|(name, _)| *name).chain(["clock"]);
        out.extend(parts.filter_map(|name| Some(("profile", name, unit, get("profile", name)? / tokens * scale))));
    }
    for (amount, rate, each) in
        [("weights", "G weights/s", "instructions/weight"), ("bytes", "GB/s", "instructions/byte")]
    {
        let Some(done) = get("kernel", amount).filter(|done| *done > 0.0) else { continue };
        if let Some(ns) = get("kernel", "time").filter(|ns| *ns > 0.0) {
            out.push(("kernel", "rate", rate, done / ns));
        }
        if let Some(count) = get("kernel", "instructions") {
            out.push(("kernel", "cost", each, count / done));
        }
    }
    for metric in ["peak_memory", "linear_memory", "heap_peak", "stack_high_water", "static"] {
        if let Some(bytes) = get("run", metric) {
            out.push(("run", metric, "bytes", bytes));
        }
    }
    let parts = (get("run", "heap_peak"), get("run", "stack_high_water"), get("run", "static"));
    let memory = match parts {
        (Some(heap), Some(stack), Some(fixed)) => Some(heap + stack + fixed),
        _ => get("run", "linear_memory").or(get("run", "peak_memory")),
    };
    out.extend(memory.map(|bytes| ("run", "memory", "bytes", bytes)));
    out
}
