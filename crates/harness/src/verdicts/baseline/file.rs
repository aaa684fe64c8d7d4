//! The file of a target's accepted counters: its text, and what an acceptance changes in it.

use crate::definitions::metrics::{COUNTERS, SIZE};
use crate::records::counter::Counter;
use crate::workspace::error::nearest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the file's format.
pub const SCHEMA: u64 = 1;

/// The accepted counters of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// See [`SCHEMA`].
    pub schema: u64,
    /// Every acceptance, the newest last.
    pub history: Vec<Accepted>,
    /// The counters.
    pub rows: Vec<Counter>,
}

/// One acceptance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// By whom, as git knows them.
    pub who: String,
    /// When, UTC, ISO 8601.
    pub when: String,
    /// Commit that the counters are of, with a mark if the tree had changes beside it.
    pub commit: String,
    /// Why.
    pub reason: String,
    /// What changed.
    pub changes: Vec<Change>,
}

/// One changed counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Which.
    pub row: String,
    /// Its value before; none for a new one.
    pub from: Option<u64>,
    /// Its value now; none for one that is gone.
    pub to: Option<u64>,
    /// What the value now depends on; none for one that is gone, and in acceptances before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<BTreeMap<String, String>>,
}

impl Baseline {
    pub(super) fn empty() -> Self {
        Baseline { schema: SCHEMA, history: Vec::new(), rows: Vec::new() }
    }

    /// Reads a file's text; `target` is the one that its name says.
    ///
    /// # Errors
    /// As a sentence: a cut or altered file, another schema, a row twice or of another target.
    pub fn parse(target: &str, text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            schema: u64,
        }
        let head: Head = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if head.schema != SCHEMA {
            return Err(format!("schema {}, this build reads schema {SCHEMA}", head.schema));
        }
        let baseline: Baseline = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for (i, row) in baseline.rows.iter().enumerate() {
            if row.target != target {
                return Err(format!("row `{row}` is of target `{}`, the file of `{target}`", row.target));
            }
            if let Some(message) = unknown_metric(&row.metric) {
                return Err(format!("row `{row}`: {message}"));
            }
            if baseline.rows[..i].iter().any(|other| other.name() == row.name()) {
                return Err(format!("row `{row}` is there twice"));
            }
        }
        Ok(baseline)
    }

    /// The file's text: a line for each row and acceptance, so that a change shows as those lines.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let lines = |items: Vec<String>| items.iter().map(|item| format!("\n{item}")).collect::<Vec<_>>().join(",");
        let history = self.history.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let rows = self.rows.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("{{\"schema\":{},\n\"history\":[{}],\n\"rows\":[{}]}}\n", self.schema, lines(history), lines(rows)))
    }

    /// Puts counters in the place of the rows that `replaced` says, and tells what changed. The order is that of the
    /// names, so that it does not depend on the run.
    ///
    /// `lacking` says which rows are of variants that this machine cannot run.
    pub(super) fn accept(
        &mut self,
        counters: &[Counter],
        replaced: impl Fn(&Counter) -> bool,
        lacking: impl Fn(&Counter) -> bool,
    ) -> Vec<Change> {
        let mut before: BTreeMap<String, (u64, BTreeMap<String, String>)> = BTreeMap::new();
        self.rows.retain(|row| {
            let goes = replaced(row) || counters.iter().any(|counter| counter.name() == row.name());
            if goes {
                before.insert(row.to_string(), (row.value, row.key.clone()));
            }
            !goes
        });
        let mut changes = Vec::new();
        for counter in counters {
            let (row, to) = (counter.to_string(), Some(counter.value));
            let (from, key) = before.remove(&row).unzip();
            if from != to || key.as_ref() != Some(&counter.key) {
                changes.push(Change { row, from, to, key: Some(counter.key.clone()) });
            }
            self.rows.push(counter.clone());
        }
        // What cannot be counted here may have moved with what was.
        let moved = |row: &Counter| {
            let same = |counter: &&Counter| {
                counter.target == row.target && counter.variant != row.variant && counter.name()[2..] == row.name()[2..]
            };
            counters.iter().filter(same).any(|counter| {
                let of = |change: &&Change| change.row == counter.to_string() && change.from.is_some();
                changes.iter().find(of).is_some_and(|change| change.from != change.to)
            })
        };
        for row in &mut self.rows {
            row.unconfirmed |= lacking(row) && moved(row);
        }
        changes.extend(before.into_iter().map(|(row, (value, _))| Change {
            row,
            from: Some(value),
            to: None,
            key: None,
        }));
        self.rows.sort_by(|a, b| a.name().cmp(&b.name()));
        changes
    }
}

/// Why a metric is none that is gated, naming the nearest that is.
fn unknown_metric(metric: &str) -> Option<String> {
    let known = || COUNTERS.into_iter().chain([SIZE]);
    if known().any(|name| name == metric) {
        return None;
    }
    let near = nearest(metric, known()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(format!("there is no metric `{metric}`{near}"))
}
