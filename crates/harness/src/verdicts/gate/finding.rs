//! The gate's finding for one counter.

use crate::definitions::metrics::is_tick;
use crate::records::counter::Counter;
use crate::workspace::exit::Exit;
use serde::{Deserialize, Serialize};

/// The verdict for one counter, in the order of the table: the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Above a cap, which accepting a baseline does not lift.
    OverCap,
    /// Rose by more than the threshold allows.
    Regression,
    /// In the baseline, but not counted now.
    Missing,
    /// Counted, but not in the baseline.
    NoBaseline,
    /// For a workload or cell that no longer exists.
    Stale,
    /// Counted with another model, compiler or counting tool.
    NotComparable,
    /// Changed since its acceptance, as did others that were accepted on a machine that cannot run this variant.
    Unconfirmed,
    /// Fell by more than the threshold.
    Improvement,
    /// Equal to the baseline, within the threshold.
    Unchanged,
}

impl Status {
    /// The resulting exit code of a command.
    pub fn exit(self) -> Exit {
        match self {
            Status::OverCap | Status::Regression => Exit::Regression,
            Status::Missing | Status::NoBaseline | Status::Stale => Exit::Harness,
            Status::NotComparable => Exit::NotMeasurable,
            Status::Unconfirmed | Status::Improvement | Status::Unchanged => Exit::Pass,
        }
    }

    /// Its name in the verdict file.
    pub fn name(self) -> &'static str {
        match self {
            Status::OverCap => "over_cap",
            Status::Regression => "regression",
            Status::Missing => "missing",
            Status::NoBaseline => "no_baseline",
            Status::Stale => "stale",
            Status::NotComparable => "not_comparable",
            Status::Unconfirmed => "unconfirmed",
            Status::Improvement => "improvement",
            Status::Unchanged => "unchanged",
        }
    }
}

/// One counter, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Target.
    pub target: String,
    /// Variant, or `all`.
    pub variant: String,
    /// Case or artifact.
    pub workload: String,
    /// Phase or section.
    pub phase: String,
    /// Metric.
    pub metric: String,
    /// Unit.
    pub unit: String,
    /// The baseline.
    pub baseline: Option<u64>,
    /// The value now.
    pub value: Option<u64>,
    /// The verdict.
    pub status: Status,
    /// The reason.
    pub sentence: String,
    /// The change of each of its steps, the largest first; empty if either side lacks them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartChange>,
}

/// One step of a counter, on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartChange {
    /// Its name.
    pub part: String,
    /// The baseline.
    pub baseline: u64,
    /// The value now.
    pub value: u64,
}

impl PartChange {
    pub(super) fn distance(&self) -> u64 {
        self.value.abs_diff(self.baseline)
    }
}

impl std::fmt::Display for PartChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (part, change) = (&self.part, self.value as f64 - self.baseline as f64);
        match (self.distance(), self.baseline) {
            (0, _) => write!(f, "{part} 0"),
            (_, 0) => write!(f, "{part} {change:+} from nothing"),
            _ => write!(f, "{part} {:+.2} % ({change:+})", change / self.baseline as f64 * 100.0),
        }
    }
}

impl Finding {
    /// Relative change; `None` if either value is missing or the baseline is 0.
    pub fn change(&self) -> Option<f64> {
        let (baseline, value) = self.baseline.zip(self.value)?;
        (baseline > 0).then(|| value as f64 / baseline as f64 - 1.0)
    }

    /// Whether there is a change to report. The resident set is never exactly equal, so it must exceed its threshold
    /// first.
    pub fn changed(&self) -> bool {
        (self.baseline != self.value && self.metric != "peak_memory") || self.status != Status::Unchanged
    }

    /// Whether it is a counter beyond its threshold, so that its steps matter.
    pub fn wants_parts(&self) -> bool {
        let left = matches!(self.status, Status::OverCap | Status::Regression | Status::Improvement);
        left && self.baseline.is_some() && is_tick(&self.metric)
    }

    /// Whether it is for this counter.
    pub fn is_of(&self, counter: &Counter) -> bool {
        [&self.target, &self.variant, &self.workload, &self.phase, &self.metric] == counter.name()
    }

    /// The steps as text, the largest change first: `ternary +2.30 % (+45155), head 0`.
    pub fn parts_in_words(&self) -> String {
        if self.parts.is_empty() {
            return "its steps are not known, only the total".into();
        }
        self.parts.iter().map(PartChange::to_string).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn of(
        counter: &Counter,
        baseline: Option<u64>,
        value: Option<u64>,
        status: Status,
        sentence: String,
    ) -> Self {
        Finding {
            target: counter.target.clone(),
            variant: counter.variant.clone(),
            workload: counter.workload.clone(),
            phase: counter.phase.clone(),
            metric: counter.metric.clone(),
            unit: counter.unit.clone(),
            baseline,
            value,
            status,
            sentence,
            parts: Vec::new(),
        }
    }
}
