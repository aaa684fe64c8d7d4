//! A deterministic counter with everything it depends on: from the rows of a run, or from the gate.

use super::provenance::Provenance;
use super::rows::Row;
use crate::definitions::metrics::{COUNTERS, EVERY_VARIANT, PARTS, SIZE, is_tick};
use crate::targets::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One counter of one build, with everything it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Target.
    pub target: String,
    /// Variant, or `all`.
    pub variant: String,
    /// Case, or the artifact of a size.
    pub workload: String,
    /// `load`, `prefill`, `decode`, `run`, or the section of a size.
    pub phase: String,
    /// Metric.
    pub metric: String,
    /// Unit.
    pub unit: String,
    /// The count over the whole phase.
    pub value: u64,
    /// For instructions and fuel, the count of each step of the phase, if measured: it locates a change and is not
    /// checked itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, u64>,
    /// Fields that must match for two counters to be comparable: model, tokens, compiler, what counted.
    pub key: BTreeMap<String, String>,
    /// In a baseline: other variants of this counter were accepted later, on a machine that cannot run this one, so a
    /// difference may be intended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed: bool,
}

impl Counter {
    /// The names that identify it.
    pub fn name(&self) -> [&str; 5] {
        [&self.target, &self.variant, &self.workload, &self.phase, &self.metric]
    }
}

impl std::fmt::Display for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} {} {} {}", self.target, self.variant, self.workload, self.phase, self.metric)
    }
}

/// Phases of a whole workload; the others are parts of one, or single kernels.
const WHOLE_PHASES: [&str; 4] = ["load", "prefill", "decode", "run"];

/// The counters in the records of a run: every metric except time whose key the records themselves determine.
///
/// Of several samples the first is taken: those of a counter are equal, or its threshold allows for the difference.
pub fn of_records(provenance: &Provenance, rows: &[Row]) -> Vec<Counter> {
    let mut counters: Vec<Counter> = Vec::new();
    let tokens = |cell: (&str, &str), workload: &str, phase: &str| {
        rows.iter().find_map(|row| match row {
            Row::Sample { target, variant, workload: of, phase: p, metric, value, .. }
                if (target.as_str(), variant.as_str()) == cell
                    && of == workload
                    && p == phase
                    && metric == "tokens" =>
            {
                Some(*value)
            }
            _ => None,
        })
    };
    for row in rows {
        let Row::Sample { target, variant, workload, model, phase, metric, unit, value, .. } = row else { continue };
        if !COUNTERS.contains(&metric.as_str()) || !WHOLE_PHASES.contains(&phase.as_str()) {
            continue;
        }
        let mut key = key(target, provenance);
        key.insert("model".into(), model.clone());
        let count = |phase| tokens((target, variant), workload, phase).map_or("?".to_string(), |n| n.to_string());
        key.insert("tokens".into(), format!("{}+{}", count("prefill"), count("decode")));
        let counter = Counter {
            target: target.clone(),
            variant: variant.clone(),
            workload: workload.clone(),
            phase: phase.clone(),
            metric: counter_name(target, metric).into(),
            unit: unit.clone(),
            value: *value,
            parts: if phase == "decode" && is_tick(metric) { profiled(rows, row) } else { BTreeMap::new() },
            key,
            unconfirmed: false,
        };
        if !counters.iter().any(|other| other.name() == counter.name()) {
            counters.push(counter);
        }
    }
    counters.extend(rows.iter().filter_map(|row| size(row, provenance)));
    counters
}

/// The steps of a decode in the rows of a run, if a profile counted them in the same unit, as for an emulated target.
fn profiled(rows: &[Row], decode: &Row) -> BTreeMap<String, u64> {
    let Row::Sample { target, variant, workload, unit, .. } = decode else { return BTreeMap::new() };
    let cell = (target, variant, workload, unit);
    let part = |row: &Row| match row {
        Row::Sample { target, variant, workload, unit, phase, metric, value, .. }
            if (target, variant, workload, unit) == cell && phase == "profile" =>
        {
            PARTS.iter().any(|(name, _)| name == metric).then(|| (metric.clone(), *value))
        }
        _ => None,
    };
    rows.iter().filter_map(part).collect()
}

/// The counter's name of a target's metric.
pub fn counter_name<'a>(target: &str, metric: &'a str) -> &'a str {
    Target::named(target).map_or(metric, |target| target.kind.counter(metric))
}

/// The tools that a target's counters depend on: the compiler and the counting tool.
pub fn key_tools(target: &str) -> &'static [&'static str] {
    Target::named(target).map_or(&[], |target| &target.versions)
}

/// The tool versions that a target's counters depend on.
pub fn key(target: &str, provenance: &Provenance) -> BTreeMap<String, String> {
    let Some(target) = Target::named(target) else {
        // A run of a target since removed: comparable only with exactly the same tools.
        return provenance.tools.clone();
    };
    let version = |name: &&str| provenance.tools.get(*name).map(|version| (name.to_string(), version.clone()));
    target.versions.iter().filter_map(version).collect()
}

/// The size of a section of an artifact, if it is code alone.
pub fn size(row: &Row, provenance: &Provenance) -> Option<Counter> {
    let Row::Artifact { target, variant, name, section, bytes } = row else { return None };
    if Target::named(target).is_some_and(|target| !target.kind.counts_size_of(section)) || section == "model" {
        return None;
    }
    Some(Counter {
        target: target.clone(),
        variant: variant.clone().unwrap_or_else(|| EVERY_VARIANT.into()),
        workload: name.clone(),
        phase: section.clone(),
        metric: SIZE.into(),
        unit: "bytes".into(),
        value: *bytes,
        parts: BTreeMap::new(),
        key: key(target, provenance).into_iter().filter(|(name, _)| name.starts_with("rustc")).collect(),
        unconfirmed: false,
    })
}
